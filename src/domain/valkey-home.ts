import type { Secret } from './values/secret.ts'

/** Place of Valkey: one server, Sentinels that know the primary, or nodes of a cluster. */
export interface ValkeyHome {
  readonly kind: 'server' | 'sentinels' | 'cluster'
  readonly nodes: readonly ValkeyNode[]
  /** The name under which Sentinels know the primary; empty for the others. */
  readonly primary: string
  /** Null where the server asks for none. */
  readonly user: string | null
  readonly password: Secret | null
  readonly database: number
  /** Whether what is sent is encrypted, and the server's certificate checked. */
  readonly isTls: boolean
}

export interface ValkeyNode {
  readonly host: string
  readonly port: number
}

/** The name of a Valkey for people. It has no secret. */
export function nameOfValkey({ kind, nodes, primary }: ValkeyHome): string {
  const hosts = nodes.map(({ host, port }) => `${host}:${port}`).join(',')
  return kind === 'sentinels' ? `${hosts}/${primary}` : hosts
}
