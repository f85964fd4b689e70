import type { ValkeyHome, ValkeyNode } from '../domain/valkey-home.ts'
import { Secret } from '../domain/values/secret.ts'
import type { Input } from './environment.ts'
import { decoded } from './store-home.ts'

const kinds = { '': 'server', '+sentinel': 'sentinels', '+cluster': 'cluster' } as const
const usualPorts = { server: 6_379, sentinels: 26_379, cluster: 6_379 } as const
/** Several hosts are separated by commas, which no URL has. */
const form =
  /^(?:valkey|redis)(s?)(\+sentinel|\+cluster|):\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^@/?#]+)(?:\/([A-Za-z0-9._-]*))?$/
const problem =
  'VALKEY_URL must be redis://user:password@host:port/database (rediss: with TLS), redis+sentinel://host:port,host:port/primary, or redis+cluster://host:port,host:port'

/** Reads where Valkey is; null where there is none. */
export function readValkey(input: Input): ValkeyHome | null {
  const text = input.textOrFile('VALKEY_URL', '')
  if (text === '') return null
  const home = parsed(text)
  if (home === null) input.problem(problem)
  return home
}

function parsed(text: string): ValkeyHome | null {
  const [, tls, suffix = '', userText = '', passwordText = '', hosts = '', path = ''] = form.exec(text) ?? []
  const kind = kinds[suffix as keyof typeof kinds]
  const [user, password] = [decoded(userText), decoded(passwordText)]
  const nodes = hosts.split(',').map(host => nodeOf(host, usualPorts[kind]))
  if (user === undefined || password === undefined || nodes.some(node => node === null)) return null
  if (kind === 'server' && nodes.length > 1) return null
  if (kind === 'sentinels' ? path === '' : !(kind === 'server' ? /^\d{0,3}$/ : /^$/).test(path)) return null
  return Object.freeze({
    kind,
    nodes: Object.freeze(nodes as ValkeyNode[]),
    primary: kind === 'sentinels' ? path : '',
    user: user === '' ? null : user,
    password: password === '' ? null : new Secret(password),
    database: kind === 'server' ? Number(path) : 0,
    isTls: tls === 's'
  })
}

function nodeOf(text: string, usualPort: number): ValkeyNode | null {
  const [, six, host = six, port = String(usualPort)] =
    /^(?:\[([0-9a-f:]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?$/i.exec(text) ?? []
  return host === undefined || Number(port) < 1 || Number(port) > 65_535 ? null : { host, port: Number(port) }
}
