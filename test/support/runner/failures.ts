/** Most lines of diagnostics that are kept of one failure: they can hold whole answers. */
const MAX_LINES = 18
/** Failures that are listed with their diagnostics; of further ones their names are enough. */
const MAX_DETAILED = 20

/**
 * Collects the failed points of a run from its lines of TAP, each with the names of the tests around it and its diagnostics. A run prints
 * thousands of lines: without a list at their end nobody finds the one that failed, least of all in a log that was cut.
 */
export class Failures {
  /** The open tests, the outermost first. */
  #open: { indent: number; name: string }[] = []
  /** The failure whose diagnostics are being read. */
  #last: { name: string; lines: string[]; indent: number } | undefined
  readonly #found: { name: string; lines: string[] }[] = []

  /** Takes the next line of the output. */
  line(text: string): void {
    const indent = text.search(/\S/)
    const isDetail = indent === -1 || indent > (this.#last?.indent ?? indent)
    if (this.#last !== undefined && isDetail && !/^\s*(?:(?:not )?ok \d|# Subtest: )/.test(text)) {
      if (this.#last.lines.length < MAX_LINES) this.#last.lines.push(text.slice(this.#last.indent).trimEnd())
      return
    }
    this.#last = undefined
    const opened = /^\s*# Subtest: (.*)$/.exec(text)?.[1]
    const failed = /^\s*not ok \d+ - (.*?)(?: # time=.*)?$/.exec(text)?.[1]
    if (opened === undefined && failed === undefined) return
    const around = this.#open.filter(test => test.indent < indent)
    if (opened !== undefined) this.#open = [...around, { indent, name: opened }]
    if (failed !== undefined) this.#add([...around.map(test => test.name), failed], indent)
  }

  #add(names: readonly string[], indent: number): void {
    const name = names.filter(name => !name.startsWith('.tap/groups/')).join(' > ')
    // A test that fails because of a point in it says nothing new, and neither does the group of files that a test is in.
    if (name === '' || this.#found.some(failure => failure.name.startsWith(`${name} > `))) return
    this.#last = { name, lines: [], indent }
    this.#found.push(this.#last)
  }

  /** One text a failure, in the order of the run. */
  list(): string[] {
    return this.#found.map(({ name, lines }, at) => (at < MAX_DETAILED ? [name, ...lines] : [name]).join('\n'))
  }
}
