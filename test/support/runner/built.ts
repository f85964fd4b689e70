/**
 * The build of these sources, for processes that tests start: one starts in half of the CPU. `run.ts` makes it at the beginning of a run of
 * everything, or of guarantees, and tells the tests by a variable. Processes that take part in the coverage run the sources.
 */
import { existsSync, globSync, rmSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { build, digestOfSources } from '../../../build.ts'

const folder = '.tap/builds'
/** Longer than a run of all tests takes. */
const keptMs = 3_600_000
const campaign = 'test/support/campaigns/serve-campaign.ts'
const probe = 'test/support/bench/probe.ts'
const programs = ['src/cli.ts', campaign] as const
/** A program of the tests is made of other files of theirs too. */
const also = ['test/support/**/*.ts']

/** Makes the build, if there is none of these sources yet, and gives the folder: it has their digest for a name, so it cannot be stale. */
export function builtOnce(): string {
  const digest = digestOfSources(also)
  const made = join(folder, digest.slice(0, 16))
  if (existsSync(made)) return made
  for (const old of globSync(`${folder}/*`)) {
    // A run that began before a change still starts from its own.
    if (statSync(old).mtimeMs < Date.now() - keptMs) rmSync(old, { recursive: true, force: true })
  }
  build(made, { also: [campaign, probe], digest })
  return made
}

/** Loaded into a server of the bench: types that are stripped there would count as its memory. */
export function builtProbe(): string {
  return resolve(builtOnce(), 'lib', basename(probe).replace(/\.ts$/, '.js'))
}

/** The file to start: that of the build where there is one. */
export function programOf(source: (typeof programs)[number]): string {
  const { BUILD_OF_TESTS } = process.env
  if (BUILD_OF_TESTS === undefined) return source
  return join(BUILD_OF_TESTS, 'lib', basename(source).replace(/\.ts$/, '.js'))
}
