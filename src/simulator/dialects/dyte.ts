import { failure } from '../answers.ts'
import { nullable, oneOf, text } from '../rules.ts'
import type { Dialect, DialectState, SimulatedVendor } from './dialect.ts'

const regions = ['ap-south-1', 'ap-southeast-1', 'us-east-1', 'eu-central-1']

export const dyte: SimulatedVendor = {
  options: {
    org: text('a non-empty string without a colon, which would end it in Basic auth', value => /^[^:]+$/.test(value)),
    key: text('a non-empty string', value => value !== ''),
    contract: oneOf('L1', 'L2')
  },
  account: ['org'],
  credential: 'key',
  meetingFields: { preferred_region: nullable(oneOf(...regions)) },
  newMeeting: {},
  filtersMeetings: false,
  plainAnalytics: false,
  participantPut: 'gone',
  ingestPath: '/app/',
  webhookHeaders: 'dyte',
  webhooksShowAll: false,
  dialect
}

/** Dyte v2: Basic auth with organization and key, no word of the quota but on a 429 (contract#basic-credentials, contract#dyte-quota). */
function dialect(state: DialectState): Dialect {
  const isIn = (authorization = ''): boolean => {
    const encoded = /^Basic +(\S+)$/i.exec(authorization)?.[1] ?? ''
    const [org, ...key] = Buffer.from(encoded, 'base64').toString().split(':')
    return org === state.settings.org && state.accepted.has(key.join(':'))
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
