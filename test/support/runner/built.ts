/**
 * The build of these sources, for processes that tests start: one starts in half of the CPU. `run.ts` makes it at the beginning of a run that
 * has guarantees, and tells the tests by a variable. Processes that take part in the coverage run the sources.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { build, digestOfSources } from '../../../build.ts'

const folder = '.tap/builds'
const campaign = 'test/support/campaigns/serve-campaign.ts'
const programs = ['src/cli.ts', campaign] as const
/** A program of the tests is made of other files of theirs too. */
const also = ['test/support/**/*.ts']

/** Makes the build, if there is none of these sources yet, and gives the folder: it has their digest for a name, so it cannot be stale. */
export function builtOnce(): string {
  const digest = digestOfSources(also)
  const made = join(folder, digest.slice(0, 16))
  if (existsSync(made)) return made
  if (existsSync(folder))
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true })
  build(made, { also: [campaign], digest })
  return made
}

/** The file to start: that of the build where there is one. */
export function programOf(source: (typeof programs)[number]): string {
  const { LIVEGATE_BUILT } = process.env
  return LIVEGATE_BUILT === undefined ? source : join(LIVEGATE_BUILT, 'lib', basename(source).replace(/\.ts$/, '.js'))
}
