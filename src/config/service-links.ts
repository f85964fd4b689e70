import { isIP } from 'node:net'

export type Environment = Record<string, string | undefined>

/** The form of values of `…_PORT` and `…_PORT_3000_TCP`. */
const address = /^(?:tcp|udp|sctp):\/\/(?:\[[\da-f:.]+\]|[\d.]+):\d{1,5}$/i
const port = /^\d{1,5}$/
const protocol = /^(?:tcp|udp|sctp)$/

const forms: readonly [name: RegExp, isValue: (value: string) => boolean][] = [
  [/_SERVICE_HOST$/, value => isIP(value) !== 0],
  [/_SERVICE_PORT(?:_[A-Z0-9_]+)?$/, value => port.test(value)],
  [/_PORT(?:_\d{1,5}_(?:TCP|UDP|SCTP))?$/, value => address.test(value)],
  [/_PORT_\d{1,5}_(?:TCP|UDP|SCTP)_PROTO$/, value => protocol.test(value)],
  [/_PORT_\d{1,5}_(?:TCP|UDP|SCTP)_PORT$/, value => port.test(value)],
  [/_PORT_\d{1,5}_(?:TCP|UDP|SCTP)_ADDR$/, value => isIP(value) !== 0]
]

/**
 * The environment without what Kubernetes puts into every container of a namespace for each of its Services: one named `livegate` makes
 * `LIVEGATE_PORT=tcp://10.0.0.7:3000` and `LIVEGATE_SERVICE_HOST=10.0.0.7`, which nobody has set. Name and value both have to be of
 * that form; under a name of ours a link is a link too (kubernetes.io, "Accessing the Service", environment variables).
 */
export function withoutServiceLinks(env: Environment): Environment {
  const isLink = (name: string, value = ''): boolean =>
    forms.some(([form, isValue]) => form.test(name) && isValue(value))
  return Object.fromEntries(Object.entries(env).filter(([name, value]) => !isLink(name, value)))
}
