import { BlockList, isIP } from 'node:net'
import type { OutgoingProxy } from '../domain/upstream-account.ts'
import { parseAddress } from '../domain/values/address.ts'
import { Secret } from '../domain/values/secret.ts'
import type { Input } from './environment.ts'

/**
 * Reads the proxy of `HTTPS_PROXY` for an address; undefined where there is none, or `NO_PROXY` names the host. Plain http, which is for
 * this machine alone, never uses one. Lower-case names come first, as with curl, and an empty one counts as not set.
 */
export function readOutgoingProxy(input: Input, address: URL): OutgoingProxy | undefined {
  const { name, text } = eitherCase(input, 'HTTPS_PROXY')
  if (text === '' || address.protocol !== 'https:') return undefined
  if (isExempt(eitherCase(input, 'NO_PROXY').text, address)) return undefined
  const url = URL.parse(text)
  const authorization = url && basicOf(url)
  const isBare = url?.pathname === '/' && url.search === '' && url.hash === ''
  if (url !== null && authorization !== undefined && isBare && /^https?:$/.test(url.protocol)) {
    return Object.freeze({ origin: url.origin, authorization })
  }
  input.problem(`${name} must be an address like http://proxy.example:3128 (http or https, no path, no socks)`)
  return undefined
}

function eitherCase(input: Input, name: string): { name: string; text: string } {
  const lower = name.toLowerCase()
  const text = input.text(lower, '')
  return text === '' ? { name, text: input.text(name, '') } : { name: lower, text }
}

/** The value of `Proxy-Authorization`; null without a user, undefined when user or password is not encoded as in a URL. */
function basicOf({ username, password }: URL): Secret | null | undefined {
  if (username === '' && password === '') return null
  try {
    const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
    return new Secret(`Basic ${Buffer.from(text).toString('base64')}`)
  } catch {
    return undefined
  }
}

/**
 * True when a list as in `NO_PROXY` names the host. An entry is `*`, a name (with all names below it), or `*.name` (those below it alone).
 * It may also be an address or a network like `10.0.0.0/8`. Each may have a port.
 */
export function isExempt(list: string, { hostname, port }: URL): boolean {
  const host = plainHost(hostname)
  return list.split(/[\s,]+/).some(entry => {
    const [, bracketed, named, portGiven] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d+))?$/.exec(entry) ?? []
    if (portGiven !== undefined && Number(portGiven) !== Number(port || 443)) return false
    const what = bracketed ?? named ?? entry
    if (what === '' || what === '*') return what === '*'
    if (what.includes('/')) return isWithin(what, host)
    const isBelowAlone = what.startsWith('*.')
    const name = plainHost(what.replace(/^\*?\./, ''))
    return (name === host && !isBelowAlone) || (isIP(host) === 0 && host.endsWith(`.${name}`))
  })
}

/** A host in the one form in which it can be compared: without brackets and the last dot, an address in its shortest text. */
function plainHost(text: string): string {
  const host = text
    .replace(/^\[|\]$/g, '')
    .replace(/(.)\.$/, '$1')
    .toLowerCase()
  return parseAddress(host)?.text ?? host
}

function isWithin(network: string, host: string): boolean {
  const [, base = '', length] = /^(.+)\/(\d{1,3})$/.exec(network) ?? []
  const version = isIP(base)
  if (version === 0 || version !== isIP(host) || Number(length) > (version === 4 ? 32 : 128)) return false
  const family = version === 4 ? 'ipv4' : 'ipv6'
  const range = new BlockList()
  range.addSubnet(base, Number(length), family)
  return range.check(host, family)
}
