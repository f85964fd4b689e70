/**
 * Runs test files one after the other in this process, each as a subtest of its own: what they have in common is loaded, and made
 * fast, once. The `t` that a file imports from tap is then its subtest.
 */
import { registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'

const scheme = 'test-of:'
const subtests = new Map<string, Test>()
Object.assign(globalThis, { subtestOf: (url: string) => subtests.get(url) })

registerHooks({
  resolve(specifier, context, next) {
    const { parentURL = '' } = context
    if (specifier !== 'tap' || !subtests.has(parentURL)) return next(specifier, context)
    return { url: `${scheme}${parentURL}`, format: 'module', shortCircuit: true }
  },
  load(url, context, next) {
    if (!url.startsWith(scheme)) return next(url, context)
    const source = `export default globalThis.subtestOf(${JSON.stringify(url.slice(scheme.length))})`
    return { format: 'module', source, shortCircuit: true }
  }
})

/** As long as a file that runs alone may take (.taprc). */
const timeoutMs = 240_000
const longestMs = 1_200_000

/** @param files relative to the project's folder */
export function group(files: string[]): void {
  // Each file has a limit of its own, and some set it.
  t.setTimeout(longestMs)
  for (const file of files) {
    t.test(file, { timeout: timeoutMs }, async subtest => {
      const { href } = pathToFileURL(file)
      subtests.set(href, subtest)
      // As when the file runs alone.
      subtest.testdirName = `.tap/fixtures/${file.replaceAll('/', '-')}`
      await import(href)
    })
  }
}
