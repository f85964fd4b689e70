import manifest from '../../../package.json' with { type: 'json' }

/** The commit that a build was made of; the build puts it in. */
declare const livegateCommit: string | undefined

/** Tells version, commit and Node, for a report of trouble: `0.1.0 (commit 8b7f921, Node 24.21.0)`. */
export function versionLine(): string {
  const origin = typeof livegateCommit === 'undefined' ? 'from its sources' : `commit ${livegateCommit}`
  return `${manifest.version} (${origin}, Node ${process.versions.node})`
}
