import { resolve } from 'node:path'
import type { Network } from '../domain/values/address.ts'
import { formatRateLimit, type RateLimit } from '../domain/values/rate-limit.ts'
import type { Input } from './environment.ts'

/** A variable: what it means, what counts where it is not set, and how it is read. */
export interface Setting<T> {
  /** For people, in Markdown: `.env.example` and docs/configuration.md have it. */
  readonly about: string
  /** The default as it would be written; empty where there is none. */
  readonly text: string
  readonly fallback: T
  /** The effect of leaving it out, in a few words, where `text` is empty. */
  readonly unset?: string
  /** Its value can also come from the file that `NAME_FILE` names. */
  readonly isSecret?: true
  /** Reads it, and takes note of what is wrong with it. */
  read(input: Input, name: string): T
}

/** Text that is taken as it is, or read elsewhere. */
export function text(fallback: string, about: string, unset?: string): Setting<string> {
  return { about, text: fallback, fallback, ...said(unset), read: (input, name) => input.text(name, fallback) }
}

/** The kernel takes no longer path of a Unix socket (`sun_path`, unix(7)). */
const longestSocketPath = 107

/** An address or a name, or `unix:` with the absolute path of a Unix socket. */
export function host(fallback: string, about: string): Setting<string> {
  const read = (input: Input, name: string): string => {
    const value = input.text(name, fallback)
    const path = /^unix:(.*)$/s.exec(value)?.[1]
    if (path === undefined) return value
    if (
      !path.startsWith('/') ||
      path.includes('\0') ||
      path.endsWith('/') ||
      Buffer.byteLength(path) > longestSocketPath
    )
      input.problem(`${name} must be an address, or unix: and an absolute path of ${longestSocketPath} bytes at most`)
    return value
  }
  return { about, text: fallback, fallback, read }
}

/** A part of a vendor's credentials. */
export function secret(about: string): Setting<string> {
  return { ...text('', about), isSecret: true }
}

/** Text that may have a secret in it. */
export function secretText(fallback: string, about: string, unset?: string): Setting<string> {
  const read = (input: Input, name: string): string => input.textOrFile(name, fallback)
  return { about, text: fallback, fallback, ...said(unset), isSecret: true, read }
}

export function wholeNumber(fallback: number, minimum: number, maximum: number, about: string): Setting<number> {
  const read = (input: Input, name: string): number => input.integer(name, fallback, minimum, maximum)
  return { about, text: String(fallback), fallback, read }
}

/** Null where it is not set. */
export function optionalNumber(minimum: number, maximum: number, about: string, unset: string): Setting<number | null> {
  const read = (input: Input, name: string): number | null => input.optionalInteger(name, minimum, maximum)
  return { about, text: '', fallback: null, unset, read }
}

export function choice<C extends string>(fallback: C, choices: readonly C[], about: string): Setting<C> {
  return { about, text: fallback, fallback, read: (input, name) => input.choice(name, choices, fallback) }
}

/** At most so many calls in so many seconds. */
export function rateLimit(calls: number, seconds: number, about: string): Setting<RateLimit> {
  const fallback = { calls, seconds, burst: calls }
  const read = (input: Input, name: string): RateLimit => input.limit(name, fallback)
  return { about, text: formatRateLimit(fallback), fallback, read }
}

export function networks(about: string): Setting<readonly Network[]> {
  return { about, text: '', fallback: [], read: (input, name) => input.networks(name) }
}

/** The same, and `unix`: the peers of a Unix socket. */
export function peers(about: string): Setting<readonly Network[]> {
  return { about, text: '', fallback: [], read: (input, name) => input.networks(name, true) }
}

export function origins(about: string): Setting<readonly string[]> {
  return { about, text: '', fallback: [], read: (input, name) => input.origins(name) }
}

/** An address of this gateway; null where it is not set. */
export function publicAddress(about: string): Setting<URL | null> {
  const read = (input: Input, name: string): URL | null =>
    input.text(name, '') === '' ? null : input.address(name, 'https://livegate.invalid')
  return { about, text: '', fallback: null, read }
}

/** A file or a folder. */
export function place(about: string, unset: string): Setting<string | undefined> {
  const read = (input: Input, name: string): string | undefined => {
    const path = input.text(name, '')
    return path === '' ? undefined : resolve(path)
  }
  return { about, text: '', fallback: undefined, unset, read }
}

function said(unset: string | undefined): { unset?: string } {
  return unset === undefined ? {} : { unset }
}
