import { UpstreamMalformed } from '../../../src/domain/refusals/failures.ts'
import { Secret } from '../../../src/domain/values/secret.ts'
import type { RefusalReader } from '../../../src/upstream/contract/refusals.ts'
import { at } from '../../../src/upstream/contract/vendor-words.ts'
import type { WebhookDialect } from '../../../src/upstream/contract/webhooks.ts'
import { bothNames, type VendorSettings } from '../../../src/upstream/vendors/settings.ts'
import type { Diagnosis, HarmlessRead, Vendor } from '../../../src/upstream/vendors/vendor.ts'
import { roomcastProvider } from './provider.ts'

const settings: VendorSettings = {
  prefix: 'ROOMCAST',
  ids: ['studio_id'],
  credential: 'pass',
  usualBaseUrl: 'https://api.roomcast.example',
  about: { studio_id: 'The studio.', pass: 'Its pass.', base_url: 'The address.' },
  usualQuota: { calls: 5_000, seconds: 60 },
  webhookKeyUrl: baseUrl => new URL('/webhook-key', baseUrl),
  faultOf: id => (/^[a-z]+$/.test(id) ? null : 'must be small letters'),
  account({ baseUrl: root, ids: [studio = ''], credentials }) {
    const baseUrl = new URL(`/studios/${studio}`, root)
    const identity = `roomcast ${studio}`
    return { baseUrl, identity, quotaOf: identity, credentials: credentials.map(pass => new Secret(`Pass ${pass}`)) }
  }
}

const harmlessRead: HarmlessRead = {
  method: 'GET',
  path: '/rooms',
  demand(body) {
    if (!harmlessRead.isEnvelope(body)) throw new UpstreamMalformed()
  },
  isEnvelope: body => Array.isArray(at(body, 'rooms'))
}

/** A refusal is `{"problem": "…"}`; a wrong pass comes back with 400. */
const refusals: RefusalReader = {
  complaintIn: body => (at(body, 'problem') === 'pass' ? 'credentials' : null),
  isOwnWord: body => typeof at(body, 'problem') === 'string',
  isOwnNo: body => at(body, 'problem') === 'nothing'
}

/** It has its own names for everything. */
const webhooks: WebhookDialect = {
  readEnvelope: () => null,
  readWebhook: () => ({ event: null, news: null }),
  readKey: () => null
}

const diagnosis: Diagnosis = {
  async whyRefused({ status, complaint }) {
    return complaint === 'credentials' ? `refused with ${status}: correct ${bothNames(settings, 'pass')}` : null
  },
  contracts: ['2026'],
  questions: []
}

/** A made-up vendor, with an API that has nothing of the others'. */
export const roomcast: Vendor = { settings, provider: roomcastProvider, harmlessRead, refusals, webhooks, diagnosis }
