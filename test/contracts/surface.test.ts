import t from 'tap'
import Schema from 'typebox/schema'
import { notHonoured, notOffered, notThere } from '../../src/domain/refusals/not-offered.ts'
import { ContractDocument } from '../support/contracts/document.ts'
import { fieldsOf, samplesOf } from '../support/contracts/samples.ts'
import { sdkOperations } from '../support/contracts/sdk.ts'
import { gateway, type Reply } from '../support/gateway.ts'
import { mounted } from '../support/http/mounts.ts'

type Json = Record<string, unknown>

/** An operation of a vendor, as one source has it. */
interface Asked {
  source: string
  name: string
  query: Json
  body: Json
}

const limit = { calls: 100_000, seconds: 60, burst: 100_000 }
const { app, asAcme, meeting, simulator, upstream } = await gateway(t, {
  config: { readLimit: limit, writeLimit: limit }
})

const empty = { type: 'object', properties: {} }
const sdk: Asked[] = sdkOperations().map(({ method, name, in: where, schema }) => ({
  source: method,
  name,
  query: where === 'query' ? schema : empty,
  body: where === 'body' ? schema : empty
}))
const documents = ['cloudflare-realtimekit', 'dyte-v2', 'dyte-v2-2023-06'].flatMap(file =>
  new ContractDocument(`${file}.openapi.json`).operations.map(({ name, parameters, body }): Asked => {
    const inQuery = parameters.filter(one => one.in === 'query').map(one => [one.name, one.schema])
    const query = { type: 'object', properties: Object.fromEntries(inQuery) }
    return {
      source: file,
      name: withoutNames(name.replace('/accounts/{account_id}/realtime/kit', '')),
      query,
      body: body ?? empty
    }
  })
)
const asked = [...sdk, ...documents]

interface Ours {
  operationId: string
  parameters?: { in: string; name: string; schema: Json }[]
  requestBody?: { content: Record<string, { schema: Json }> }
}
const ours = new Map(
  Object.entries(app.swagger().paths ?? {}).flatMap(([path, item]) =>
    Object.entries(item as Record<string, Ours>).map(
      ([method, one]) => [withoutNames(`${method.toUpperCase()} ${path.replace('/v2', '')}`), one] as const
    )
  )
)

/** `GET /meetings/{}` for `GET /meetings/{meeting_id}`. */
function withoutNames(name: string): string {
  return name.replaceAll(/\{[^}]+\}/g, '{}')
}

function queryOf({ parameters = [] }: Ours): string[] {
  return parameters.filter(one => one.in === 'query').map(({ name }) => name)
}

function bodyOf({ requestBody }: Ours): Json {
  return requestBody?.content['application/json']?.schema ?? empty
}

function isRefused({ statusCode, json }: Reply, field: string): boolean {
  const fields = statusCode === 400 ? json().error.details.map((one: { field: string }) => one.field) : []
  return fields.length === 1 && fields[0] === field
}

t.test('the sources are read whole', t => {
  t.ok(sdk.length >= 50, `${sdk.length} methods of the SDK`)
  t.ok(documents.length >= 70, `${documents.length} operations of the documents`)
  const create = sdk.find(({ source }) => source === 'realtimeKit.meetings.create')
  for (const field of ['title', 'recording_config.storage_config.port', 'ai_config.summarization.word_limit'])
    t.ok(fieldsOf(create?.body ?? {}).includes(field), field)
  t.ok(sdk.some(({ name }) => name === 'GET /apps'))
  t.end()
})

t.test('each operation of the vendors is offered, or refused by name, or is none of a tenant', async t => {
  const before = upstream().length
  const [refused, hidden] = [notOffered, notThere].map(list => new Set(list.flatMap(({ operations }) => operations)))
  const names = new Set(asked.map(({ name }) => name))
  for (const name of names) {
    const kinds = [ours.has(name), refused?.has(name), hidden?.has(name)].filter(Boolean)
    t.equal(kinds.length, 1, `${name} is decided once`)
    if (ours.has(name)) continue
    const [method = '', path = ''] = name.split(' ')
    for (const id of [meeting, 'ffffffff-ffff-4fff-8fff-ffffffffffff', '..%2f']) {
      const address = `/v2${path.replaceAll('{}', id)}`
      for (const spelt of [address, mounted(address), `${address}/?page_no=1`]) {
        const { statusCode, json } = await asAcme(method, spelt)
        const told = `${statusCode} ${json().error.type}`
        t.equal(told, refused?.has(name) ? '501 not_offered_by_upstream' : '404 not_found', `${method} ${spelt}`)
      }
    }
  }
  for (const name of [...(refused ?? []), ...(hidden ?? [])]) {
    t.ok(names.has(name) || name === 'GET /sessions/{}/participants/{}', `${name} is an operation of theirs`)
  }
  t.equal(upstream().length, before, 'and the vendor hears of none')
})

t.test('each field of theirs is known, or refused with its name', async t => {
  const seen = new Set<string>()
  for (const { source, name, query, body } of asked) {
    const own = ours.get(name)
    if (own === undefined) continue
    const [method = '', path = ''] = name.split(' ')
    const address = `/v2${path.replaceAll('{}', meeting)}`
    for (const field of fieldsOf(query)) {
      if (queryOf(own).includes(field)) continue
      seen.add(`${own.operationId} query.${field}`)
      t.ok(isRefused(await asAcme(method, `${address}?${field}=a`), `query.${field}`), `${source}: ${name}?${field}`)
    }
    const known = fieldsOf(bodyOf(own))
    for (const field of fieldsOf(body)) t.ok(known.includes(field), `${source}: ${name} ${field}`)
  }
  t.strictSame(
    [...seen].sort(),
    notHonoured.map(({ operationId, field }) => `${operationId} ${field}`).sort(),
    'and each of these has its reason'
  )
})

/** Places at which less is taken than the vendor's schema allows, with the reason. */
const narrower: [field: RegExp, part: string, why: string][] = [
  [/^(custom_)?participant_ids\[\]$/, '""', 'an empty id is nobody'],
  [/^name$/, 'x'.repeat(1_001), 'a page of livestreams with such names could not be read any more'],
  [/^custom_participant_id$/, '""', 'an empty id is nobody'],
  [/_bucket_config$/, '{}', 'the SDK and the contract of L2 require `enabled` in it']
]

t.test('no bound of a body is narrower than the vendor has it', t => {
  let count = 0
  for (const { source, name, body } of asked) {
    const own = ours.get(name)
    if (own === undefined) continue
    const schema = Schema.Compile(bodyOf(own) as never)
    for (const { field, value } of samplesOf(body)) {
      count++
      const text = JSON.stringify(value)
      if (narrower.some(([pattern, part]) => pattern.test(field) && text.includes(part))) continue
      if (!schema.Check(value)) t.fail(`${source}: ${name} ${field} ${text.slice(0, 100)}`)
    }
  }
  t.ok(count > 400, `${count} samples`)
  t.end()
})

t.test("the vendor's own sample of a storage is passed on, and one that is wrong is told of once", async t => {
  const storage_config = {
    type: 'aws',
    access_key: 'a',
    secret: 'b',
    bucket: 'c',
    region: 'us-east-1',
    path: '/',
    port: 0
  }
  const reply = await asAcme('POST', '/v2/meetings', { recording_config: { storage_config } })
  t.equal(reply.statusCode, 201)
  t.match(JSON.parse(simulator.journal.at(-1)?.body ?? ''), { recording_config: { storage_config } })
  const wrong = { recording_config: { storage_config: { ...storage_config, port: '0' } } }
  const refused = await asAcme('POST', '/v2/meetings', wrong)
  t.strictSame(refused.json().error.details, [
    { field: 'body.recording_config.storage_config.port', message: 'must be number' }
  ])
})

t.test('a field of theirs that is refused is not called unknown', async t => {
  const reply = await asAcme('GET', `/v2/meetings/${meeting}?name=Friday`)
  t.strictSame(reply.json().error.details, [
    { field: 'query.name', message: 'is a field of the provider that Livegate does not have' }
  ])
})
