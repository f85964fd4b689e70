import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import type { AuditEvent } from '../../../src/domain/audit/audit-event.ts'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import { searchFor } from '../../support/campaigns/search.ts'
import { until } from '../../support/until.ts'

const world = await gatewayBehindDoor(t, { config: { logLevel: 'trace' } })
const { as, asAcme, asGlobex, withKey, meeting, otherMeeting, simulator, storeFile, door, events, logs } = world
const viewer = (await withKey('acme', ['livestreams:read'])).call

/** Audit events of a call, as `outcome status detail`, and the fingerprints of its key. */
async function recordOf(requestId: string) {
  const ours = (await events()).filter(({ metadata }) => metadata.correlation_uid === requestId)
  return { said: ours.map(said), fingerprints: ours.map(fingerprintOf) }
}

function said({ unmapped, status_code, status_detail }: AuditEvent): string {
  return [unmapped.outcome, status_code ?? '-', status_detail ?? '-'].join(' ')
}

function fingerprintOf({ unmapped }: AuditEvent): string {
  return unmapped.idempotency_key_fingerprint ?? 'none'
}

t.test('each call with a key is on record with one fingerprint, and the key is nowhere', async t => {
  const key = `nobody-${randomUUID()}-guesses`
  const fields = (id: string, form = `"${key}"`) => ({ 'idempotency-key': form, 'x-request-id': id })
  const create = (id: string, form?: string, call = asAcme, body: object = {}) =>
    call('POST', '/v2/meetings', body, fields(id, form))

  door.hold('POST')
  const first = create('first')
  await until(() => door.held().length === 1)
  t.equal((await create('in-use', key)).statusCode, 409)
  door.release()
  t.equal((await first).statusCode, 201)
  t.equal((await create('again')).statusCode, 201)
  t.equal((await create('again-bare', key)).statusCode, 201)
  t.equal((await create('reused', key, asAcme, { title: 'x' })).statusCode, 422)
  t.equal((await create('no-scope', key, viewer)).statusCode, 403)
  t.equal((await create('bad-body', undefined, asAcme, { nonsense: 1 })).statusCode, 400)
  t.equal((await asAcme('GET', '/v2/meetings', undefined, fields('a-read'))).statusCode, 400)
  const notOurs = `/v2/meetings/${otherMeeting}/livestreams`
  t.equal((await asAcme('POST', notOurs, undefined, fields('not-ours', key))).statusCode, 404)
  t.equal((await create('two-keys', `"${key}" "${key}"`)).statusCode, 400)
  t.equal((await create('no-tenant', key, as(null))).statusCode, 401)
  t.equal((await create('of-globex', key, asGlobex)).statusCode, 201)

  const expected: Record<string, string[]> = {
    first: ['pending - -', 'done 201 -'],
    'in-use': ['refused 409 idempotency_key_in_use'],
    again: ['done 201 replayed'],
    'again-bare': ['done 201 replayed'],
    reused: ['refused 422 idempotency_key_reused'],
    'no-scope': ['refused 403 scope_missing'],
    'bad-body': ['refused 400 invalid_input'],
    'a-read': ['refused 400 invalid_input'],
    'not-ours': ['refused 404 meeting_not_found']
  }
  const ours = (await recordOf('first')).fingerprints[0]
  t.match(ours, /^[0-9a-f]{32}$/)
  for (const [id, said] of Object.entries(expected)) {
    const record = await recordOf(id)
    t.strictSame(record.said, said, id)
    t.strictSame(new Set(record.fingerprints), new Set([ours]), `${id}: the same key, quoted or bare`)
  }
  for (const id of ['two-keys', 'no-tenant', 'of-globex']) {
    const [fingerprint] = (await recordOf(id)).fingerprints
    t.match(fingerprint, /^[0-9a-f]{32}$/, id)
    t.not(fingerprint, ours, `${id}: not the same key of the same tenant`)
  }

  const keyIn = searchFor({ key })
  t.strictSame(keyIn(JSON.stringify(await events())), [], 'events')
  t.strictSame(keyIn(logs()), [], 'log')
  const files = readdirSync(dirname(storeFile)).filter(name => !name.endsWith('-shm'))
  for (const name of files) t.strictSame(keyIn(readFileSync(join(dirname(storeFile), name))), [], name)
})

t.test(
  'calls that join, and those that find a meeting live, are on record with the fingerprint of their key',
  async t => {
    const fields = (id: string) => ({ 'idempotency-key': `"key-${id}"`, 'x-request-id': id })
    const start = (id: string) => asAcme('POST', `/v2/meetings/${meeting}/livestreams`, undefined, fields(id))
    const stop = (id: string) => asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`, undefined, fields(id))
    door.hold()
    const starting = await world.inLine([() => start('led'), () => start('joined')])
    door.release()
    await Promise.all(starting)
    await start('live')
    door.hold('POST')
    // The first is on its way before the others come: of these one goes out next, and the other joins it.
    const first = stop('first')
    await until(() => door.held().length === 1)
    const stopping = await world.inLine([() => stop('stopped'), () => stop('stopped-too')])
    door.release()
    await Promise.all([first, ...stopping])

    const records = await Promise.all(['led', 'joined', 'live', 'stopped', 'stopped-too'].map(recordOf))
    t.strictSame(
      new Set(records.slice(0, 2).map(({ said }) => said.join())),
      new Set(['pending - -,done 201 -', 'done 200 -'])
    )
    t.strictSame(records[2]?.said, ['done 200 -'])
    t.strictSame(
      new Set(records.slice(3).map(({ said }) => said.join())),
      new Set(['pending - -,done 200 -', 'done 200 -'])
    )
    const fingerprints = records.map(record => [...new Set(record.fingerprints)])
    for (const own of fingerprints) t.match(own, [/^[0-9a-f]{32}$/])
    t.equal(new Set(fingerprints.flat()).size, 5, 'each call has its own')
  }
)

t.test('a replay is on record as what the first call came to, and never as more', async t => {
  const faults = [
    { told: 'unknown 502 upstream_failed', status: 500, replayed: 'unknown 502 replayed' },
    { told: 'failed 502 upstream_refused', status: 422, replayed: 'failed 502 replayed' }
  ]
  for (const { told, status, replayed } of faults) {
    const create = (id: string) =>
      asAcme('POST', '/v2/meetings', {}, { 'idempotency-key': `"${status}"`, 'x-request-id': id })
    simulator.failNext({ match: { method: 'POST', path: '/meetings' }, status, body: {} })
    t.equal((await create(`first-${status}`)).statusCode, 502)
    t.equal((await create(`again-${status}`)).statusCode, 502)
    t.strictSame((await recordOf(`first-${status}`)).said, ['pending - -', told])
    t.strictSame((await recordOf(`again-${status}`)).said, [replayed])
  }
  const path = `/v2/meetings/${meeting}`
  const patch = (id: string) => asAcme('PATCH', path, {}, { 'idempotency-key': '"404"', 'x-request-id': id })
  simulator.failNext({ match: { method: 'PATCH' }, status: 404, body: {} })
  t.equal((await patch('first-404')).statusCode, 404)
  t.equal((await patch('again-404')).statusCode, 404)
  t.strictSame((await recordOf('again-404')).said, ['refused 404 replayed'])
})
