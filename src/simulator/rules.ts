/**
 * A rule says in one sentence what a field may hold. Options, faults, vendor bodies and control bodies are all checked with these,
 * so that a misspelt or misplaced value is named and never quietly ignored.
 */
export interface Rule {
  /** Completes the sentence `"x" must be …`. */
  says: string
  /** False: the wrong kind of value (a TypeError). */
  kind: (value: unknown) => boolean
  /** False: the right kind, but out of range (a RangeError). Only asked when `kind` is true. */
  fits?: (value: never) => boolean
}

export type Rules = Record<string, Rule>

export const string: Rule = { says: 'a string', kind: value => typeof value === 'string' }
export const boolean: Rule = { says: 'true or false', kind: value => typeof value === 'boolean' }
export const object: Rule = { says: 'an object', kind: isObject }
export const callback: Rule = { says: 'a function', kind: value => typeof value === 'function' }

/** A string that `fits`; `says` tells which. */
export function text(says: string, fits: (value: string) => boolean): Rule {
  return { ...string, says, fits }
}

/** One of a few words, e.g. the alternatives of an open question of the contract. */
export function oneOf(...words: readonly string[]): Rule {
  return text(`one of ${words.join(', ')}`, value => words.includes(value))
}

/** A number from `from` to `to`, whole unless `fraction` is true. */
export function number(from: number, to: number, fraction = false): Rule {
  const upper = to === Number.MAX_SAFE_INTEGER ? 'up' : `to ${to}`
  return {
    says: `a ${fraction ? '' : 'whole '}number from ${from} ${upper}`,
    kind: value => typeof value === 'number',
    fits: (value: number) => (fraction || Number.isInteger(value)) && value >= from && value <= to
  }
}

/** The same rule, and null passes too, as in most of the vendor's request bodies. */
export function nullable(rule: Rule): Rule {
  const { says, kind, fits = () => true } = rule
  return {
    says: `${says} or null`,
    kind: value => value === null || kind(value),
    fits: (value: never) => value === null || fits(value)
  }
}

/** A plain object as JSON knows it: no null, no array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The first field of `given` that breaks its rule. Fields that are absent, undefined or without a rule are not looked at. */
export function firstProblem(rules: Rules, given: object): { message: string; outOfRange: boolean } | undefined {
  for (const [name, rule] of Object.entries(rules)) {
    const value = Reflect.get(given, name)
    if (value === undefined) continue
    const isKind = rule.kind(value)
    if (isKind && (rule.fits?.(value as never) ?? true)) continue
    return { message: `"${name}" must be ${rule.says}`, outOfRange: isKind }
  }
  return undefined
}

/**
 * Refuses anything but an object whose fields all have a rule and keep it.
 * @throws TypeError for no object, an unknown field or a wrong kind; RangeError for a value out of range.
 */
export function assertFields(what: string, rules: Rules, given: unknown): void {
  if (!isObject(given)) throw new TypeError(`${what} must be an object`)
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(rules, name)) throw new TypeError(`${what}: "${name}" is not known`)
  }
  const problem = firstProblem(rules, given)
  if (problem?.outOfRange) throw new RangeError(`${what}: ${problem.message}`)
  if (problem) throw new TypeError(`${what}: ${problem.message}`)
}

/** Ids of meetings are UUIDs in every path (contract#uuid-ids). */
export const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
