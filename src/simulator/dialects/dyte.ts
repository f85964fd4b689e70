import { failure } from '../answers.ts'
import type { World } from '../state/state.ts'
import type { Dialect } from './dialect.ts'

/** Dyte v2: Basic auth with organization and key, no word of the quota but on a 429 (contract#basic-credentials, contract#dyte-quota). */
export function dyte(world: World): Dialect {
  const isIn = (authorization = ''): boolean => {
    const encoded = /^Basic +(\S+)$/i.exec(authorization)?.[1] ?? ''
    const [org, ...key] = Buffer.from(encoded, 'base64').toString().split(':')
    return org === world.settings.org && world.accepted.has(key.join(':'))
  }
  return {
    basePath: '/v2',
    apiPath: '/v2',
    refusal: (_path, authorization) =>
      isIn(authorization) ? undefined : { status: 401, body: { message: 'Unauthorized' } },
    noRoute: (method, path) => failure(404, `No route ${method} ${path}`),
    tooMany: seconds => ({
      status: 429,
      headers: { 'retry-after': String(seconds), 'x-envoy-ratelimited': 'true', server: 'envoy' }
    }),
    limitFields: () => ({}),
    beside: {},
    offers: () => true
  }
}
