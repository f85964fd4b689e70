import { readFileSync, statSync } from 'node:fs'
import { type Network, parseNetwork, unixPeers } from '../domain/values/address.ts'
import { checkFile } from '../domain/values/own-file.ts'
import { parseQuota, type Quota } from '../domain/values/quota.ts'
import { parseRateLimit, type RateLimit } from '../domain/values/rate-limit.ts'
import { type Environment, withoutServiceLinks } from './service-links.ts'

export type { Environment } from './service-links.ts'

/** Everything that is wrong with the configuration, in one message that names variables and never shows a value. */
export class ConfigError extends Error {}

const placeholder =
  /^(<.*>|\[.*\]|x{3,}|\.{3,}|(change|replace|fill|todo|your|insert|example|placeholder|secret|password).*)$/i

export type ReadFile = (path: string) => string
/** Reads a file that may hold a secret. */
export const readText: ReadFile = path => {
  checkFile(path, statSync(path))
  return withoutMark(readFileSync(path, 'utf8'))
}

/** Editors of some systems begin a file with a mark of its encoding. */
export function withoutMark(text: string): string {
  return text.replace(/^\uFEFF/, '')
}

/** The name under which the second of two credentials is kept; no variable can have it. */
export function secondOf(name: string): string {
  return `${name} 2`
}

/** An environment, read variable by variable, with a list of what was wrong with it. */
export class Input {
  readonly #env: Environment
  readonly #readFile: ReadFile
  readonly #fileSuffix: string
  /** A set, so that a problem of several upstreams is told once. */
  readonly #problems = new Set<string>()
  readonly #tell: (problem: string) => void

  constructor(env: Environment, readFile: ReadFile, fileSuffix = '_FILE', tell?: (problem: string) => void) {
    this.#env = withoutServiceLinks(env)
    this.#readFile = readFile
    this.#fileSuffix = fileSuffix
    this.#tell = tell ?? (problem => this.#problems.add(problem))
  }

  /** Reads settings that stand elsewhere. Problems with them begin with that place. */
  inside(env: Environment, where: string, fileSuffix: string): Input {
    return new Input(env, this.#readFile, fileSuffix, text => this.problem(`${where}: ${text}`))
  }

  problem(text: string): void {
    this.#tell(text)
  }

  text(name: string, fallback: string): string {
    const value = this.#env[name]
    return value === undefined || value === '' ? fallback : value
  }

  integer(name: string, fallback: number, minimum: number, maximum: number): number {
    const text = this.text(name, String(fallback))
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
    if (value >= minimum && value <= maximum) return value
    this.problem(`${name} must be a whole number from ${minimum} to ${maximum}`)
    return fallback
  }

  /** Null when it is not set. */
  optionalInteger(name: string, minimum: number, maximum: number): number | null {
    return this.text(name, '') === '' ? null : this.integer(name, minimum, minimum, maximum)
  }

  choice<C extends string>(name: string, choices: readonly C[], fallback: C): C {
    const text = this.text(name, fallback)
    const choice = choices.find(c => c === text)
    if (choice === undefined) this.problem(`${name} must be one of ${choices.join(', ')}`)
    return choice ?? fallback
  }

  limit(name: string, fallback: RateLimit): RateLimit {
    const text = this.text(name, '')
    const limit = text === '' ? fallback : parseRateLimit(text)
    if (limit === null) this.problem(`${name} must be calls/seconds or calls/seconds,burst, like 600/60 or 600/60,100`)
    return Object.freeze(limit ?? fallback)
  }

  /** The vendor's quota, `calls/seconds`. */
  quota(name: string, fallback: Quota): Quota {
    const text = this.text(name, '')
    const quota = text === '' ? fallback : parseQuota(text)
    if (quota === null) this.problem(`${name} must be calls/seconds, like 2000/60, with at least 10 calls`)
    return Object.freeze(quota ?? fallback)
  }

  /** A vendor's address, or our own. Without TLS what is sent would be readable on the way: only for this machine itself. */
  address(name: string, fallback: string): URL {
    const text = this.text(name, fallback)
    const url = URL.parse(text)
    const plain = url?.username === '' && url.password === '' && url.search === '' && url.hash === ''
    const secure = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname))
    if (url !== null && plain && secure) return url
    this.problem(
      `${name} must be an https address without user, query and fragment (http only for 127.0.0.1, [::1] or localhost)`
    )
    return new URL(fallback)
  }

  /** Exact origins, separated by commas. */
  origins(name: string): readonly string[] {
    const origins = this.#list(name)
    for (const origin of origins) {
      const url = URL.parse(origin)
      if (url === null || url.origin !== origin || !/^https?:$/.test(url.protocol)) {
        this.problem(`${name} must be a list of exact origins, like https://app.example.com`)
        break
      }
    }
    return Object.freeze(origins)
  }

  /** Addresses and networks, separated by commas. @param hasUnix `unix` may be among them: the peers of a Unix socket */
  networks(name: string, hasUnix = false): readonly Network[] {
    const texts = this.#list(name)
    const networks = texts
      .map(text => (hasUnix && text === 'unix' ? { ...unixPeers } : parseNetwork(text)))
      .filter(network => network !== null)
      .map(network => Object.freeze(network))
    if (networks.length < texts.length) {
      this.problem(
        `${name} must be a list of addresses and networks, like 10.1.2.3 or fd12::/64${hasUnix ? ', or unix' : ''}: from /8 (IPv6: /7), no bits beyond the prefix, no IPv4 as IPv6`
      )
    }
    return Object.freeze(networks)
  }

  /** Null when it cannot be read. */
  file(path: string): string | null {
    try {
      return this.#readFile(path)
    } catch {
      return null
    }
  }

  /** The same as `text`, where the file that `NAME_FILE` names may have it instead. */
  textOrFile(name: string, fallback: string): string {
    return this.#secretText(name) || fallback
  }

  /** Reads the variable, or the file that `NAME_FILE` names. Both together are a problem. */
  secret(name: string): string {
    return this.#checked(name, this.#secretText(name))
  }

  /** Reads one or two secrets: a file has a line for each, an environment has the second under `secondOf(name)`. */
  secrets(name: string): string[] {
    const text = this.#secretText(name)
    if (text === undefined) return []
    const isInFile = this.text(name, '') === ''
    const lines = isInFile ? text.split(/\r?\n/).map(line => line.trim()) : [text, this.text(secondOf(name), '')]
    const [first = '', ...others] = lines
    const more = others.filter(line => line !== '')
    if (more.length > 1) this.problem(`${name} has more than two lines`)
    if (more.includes(first)) this.problem(`${name} has the same credential twice`)
    return [first, ...more].map(line => this.#checked(name, line))
  }

  /**
   * Refuses quotes around a value. Node removes those in a file, but docker keeps them: a folder would have them in its name. An
   * unclosed quote is a part of the value for both.
   */
  refuseQuoted(known: (name: string) => boolean): void {
    for (const [name, value = ''] of Object.entries(this.#env)) {
      if (known(name) && /^["'`]|["'`]$/.test(value)) this.problem(quoted(name))
    }
  }

  /** Refuses unknown variables, so that no misspelt setting leads to a silent default. */
  refuseUnknown(known: (name: string) => boolean, prefixes: readonly string[]): void {
    const ours = new RegExp(`^(${prefixes.join('|')})_`, 'i')
    for (const name of Object.keys(this.#env).sort()) {
      // Node reads the mark as a part of the first name in its file, which is then no name of ours.
      if (name !== withoutMark(name))
        this.problem(`${withoutMark(name)}: the file begins with a mark: save it as UTF-8 without BOM`)
      else if (ours.test(name) && !known(name)) this.problem(`${name} is not a known variable`)
    }
  }

  finish(): void {
    if (this.#problems.size > 0) throw new ConfigError([...this.#problems].join('; '))
  }

  #list(name: string): string[] {
    return this.text(name, '')
      .split(',')
      .map(text => text.trim())
      .filter(text => text !== '')
  }

  /** Undefined when that was a problem already. */
  #secretText(name: string): string | undefined {
    const fileName = name + this.#fileSuffix
    const path = this.text(fileName, '')
    const value = this.text(name, '')
    if (path === '') return value
    if (value !== '') this.problem(`${name} and ${fileName} are both set`)
    const text = this.file(path)
    if (text === null) this.problem(`${fileName} cannot be read`)
    return text?.trim()
  }

  #checked(name: string, value: string | undefined): string {
    if (value === undefined) return ''
    if (value === '') this.problem(`${name} is missing`)
    else if (/^["'`]|["'`]$/.test(value)) this.problem(quoted(name))
    else if (placeholder.test(value)) this.problem(`${name} is still a placeholder`)
    else if (!/^[\x21-\x7e]+$/.test(value)) this.problem(`${name} must be plain ASCII without white space`)
    return value
  }
}

function quoted(name: string): string {
  return `${name} stands in quotes, which docker takes for a part of it: write it without`
}

/** True for the names and addresses of this machine itself, as they stand in a URL. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
}
