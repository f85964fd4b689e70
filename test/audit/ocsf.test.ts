import t from 'tap'
import { Compile } from 'typebox/compile'
import { type Ending, type Subject, toAuditEvent } from '../../src/audit/ocsf.ts'
import { AuditEvent, auditOutcomes } from '../../src/domain/audit/audit-event.ts'
import { operations } from '../../src/domain/operation.ts'
import fc, { anyText, runs } from '../support/runner/properties.ts'

const schema = Compile(AuditEvent)
const keyFingerprint = 'c0ffee'.padEnd(32, '0')
const subject: Subject = {
  action: 'startLivestream',
  method: 'POST',
  tenantId: 'acme',
  keyId: 'k1',
  keyFingerprint,
  address: '127.0.0.1',
  requestId: 'r1',
  resources: [{ type: 'meeting', uid: 'm1' }]
}

t.test('a whole event of a start, as it is stored', async t => {
  const ending: Ending = {
    outcome: 'done',
    status: 201,
    durationMs: 12.6,
    upstreamStatus: 200,
    upstreamReason: 'try again',
    streamKeyRevealed: true
  }
  const event = toAuditEvent(subject, ending, 1_795_345_200_000)
  t.strictSame(event, {
    class_uid: 6003,
    class_name: 'API Activity',
    category_uid: 6,
    category_name: 'Application Activity',
    activity_id: 1,
    activity_name: 'Create',
    type_uid: 600_301,
    severity_id: 1,
    time: 1_795_345_200_000,
    status_id: 1,
    status_code: '201',
    action_id: 1,
    action: 'Allowed',
    duration: 13,
    metadata: {
      version: '1.8.0',
      profiles: ['security_control'],
      product: { name: 'Livegate', vendor_name: 'Livegate' },
      correlation_uid: 'r1'
    },
    actor: { user: { uid: 'k1', type: 'API key', type_id: 99 } },
    api: { operation: 'startLivestream', request: { uid: 'r1' }, response: { code: 201 } },
    src_endpoint: { ip: '127.0.0.1' },
    resources: [{ type: 'meeting', uid: 'm1' }],
    unmapped: {
      tenant_id: 'acme',
      key_id: 'k1',
      outcome: 'done',
      key_fingerprint: keyFingerprint,
      upstream_status: 200,
      upstream_reason: 'try again',
      stream_key_revealed: true
    }
  })
  t.ok(schema.Check(event))
})

t.test('a refusal has its slug in both places, an intent has neither status nor duration', async t => {
  const refused = toAuditEvent(subject, { outcome: 'refused', status: 404, type: 'meeting_not_found' }, 1)
  t.match(refused, {
    action_id: 2,
    action: 'Denied',
    status_id: 2,
    status_code: '404',
    status_detail: 'meeting_not_found',
    api: { response: { code: 404, error: 'meeting_not_found' } }
  })
  const intent = toAuditEvent(subject, { outcome: 'pending' }, 1)
  t.match(intent, { status_id: 0 })
  for (const absent of ['status_code', 'status_detail', 'duration']) t.notOk(absent in intent, absent)
  t.notOk('response' in intent.api)
  t.strictSame(Object.keys(intent.unmapped), ['tenant_id', 'key_id', 'outcome', 'key_fingerprint'])
  const hidden = toAuditEvent(subject, { outcome: 'done', status: 200, streamKeyRevealed: false }, 1)
  t.notOk('stream_key_revealed' in hidden.unmapped)
})

t.test('a caller whom nobody knows is written as unknown', async t => {
  const nobody = { ...subject, tenantId: null, keyId: null, keyFingerprint: null }
  const event = toAuditEvent(nobody, { outcome: 'refused', status: 401 }, 1)
  t.match(event, { actor: { user: { uid: 'unknown' } } })
  t.strictSame(event.unmapped, { tenant_id: null, key_id: null, outcome: 'refused' })
  t.ok(schema.Check(event))
})

t.test('each method is an activity of OCSF and each outcome a status', async t => {
  const activity = (method: string) => {
    const call = { ...subject, action: 'getLivestream', method }
    const { activity_id, activity_name, type_uid } = toAuditEvent(call, { outcome: 'done' }, 1)
    return [activity_id, activity_name, type_uid]
  }
  t.strictSame(activity('GET'), [2, 'Read', 600_302])
  t.strictSame(activity('HEAD'), [2, 'Read', 600_302])
  t.strictSame(activity('POST'), [1, 'Create', 600_301])
  t.strictSame(activity('PUT'), [3, 'Update', 600_303])
  t.strictSame(activity('PATCH'), [3, 'Update', 600_303])
  t.strictSame(activity('DELETE'), [4, 'Delete', 600_304])
  t.strictSame(activity('OPTIONS'), [99, 'Other', 600_399])
  t.strictSame(activity('PROPFIND'), [99, 'Other', 600_399])
  const status = auditOutcomes.map(outcome => [outcome, toAuditEvent(subject, { outcome }, 1).status_id])
  t.strictSame(Object.fromEntries(status), { pending: 0, done: 1, refused: 2, failed: 2, not_sent: 2, unknown: 0 })
})

t.test('a stop is a change of the livestream: it creates nothing', async t => {
  const stop = toAuditEvent({ ...subject, action: 'stopLivestream' }, { outcome: 'done' }, 1)
  t.match(stop, { activity_id: 3, activity_name: 'Update', type_uid: 600_303 })
})

t.test('only a start, a successor of a key, and what is new in an account create something', async t => {
  const named = Object.values(operations).filter(({ action, method }) => {
    const { activity_name } = toAuditEvent({ ...subject, action, method }, { outcome: 'done' }, 1)
    return activity_name === 'Create'
  })
  t.strictSame(
    named.map(({ action }) => action),
    ['startLivestream', 'createLivestream', 'createMeeting', 'addParticipant', 'rotateKey']
  )
})

t.test('only a refusal is denied, and the worse an ending the higher its severity', async t => {
  const seen = auditOutcomes.map(outcome => {
    const { action_id, action, severity_id } = toAuditEvent(subject, { outcome }, 1)
    return [outcome, [action_id, action, severity_id]]
  })
  t.strictSame(Object.fromEntries(seen), {
    pending: [1, 'Allowed', 1],
    done: [1, 'Allowed', 1],
    refused: [2, 'Denied', 2],
    failed: [1, 'Allowed', 3],
    not_sent: [1, 'Allowed', 3],
    unknown: [1, 'Allowed', 3]
  })
})

t.test('an actor without a key is named by what it is, at a place without an address', async t => {
  const of = (actor: Subject['actor']) => {
    const by = { ...subject, keyId: null, address: null, ...(actor !== undefined && { actor }) }
    const event = toAuditEvent(by, { outcome: 'done' }, 1)
    t.ok(schema.Check(event))
    return [event.actor.user, event.src_endpoint]
  }
  t.strictSame(of({ type: 'Operator', uid: 'root' }), [
    { type: 'Operator', uid: 'root', type_id: 2 },
    { name: 'command line' }
  ])
  t.strictSame(of({ type: 'Gateway', uid: 'retention' }), [
    { type: 'Gateway', uid: 'retention', type_id: 3 },
    { name: 'gateway' }
  ])
})

t.test('a clock that ran backwards gives no negative duration', async t => {
  t.equal(toAuditEvent(subject, { outcome: 'done', durationMs: -3 }, 1).duration, 0)
})

t.test('every event fits the schema, and any string in it stays what it was in one line of JSON', async t => {
  const hostile = fc.constantFrom('\n', '\r\n', '\u2028', '\0', '"', '\\', '\ud800', '{"class_uid":6003}\n', '🎥')
  const text = fc
    .array(fc.oneof(hostile, anyText({ maxLength: 8 })), { maxLength: 4 })
    .map(parts => parts.join('').slice(0, 64))
  const fingerprint = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 32, maxLength: 32 })
  const subjects = fc.record({
    action: text,
    method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND'),
    tenantId: fc.option(text),
    keyId: fc.option(text),
    keyFingerprint: fc.option(fingerprint),
    idempotencyKeyFingerprint: fc.option(fingerprint),
    address: text,
    requestId: text,
    resources: fc.array(fc.record({ type: fc.constantFrom('meeting' as const, 'livestream' as const), uid: text }), {
      maxLength: 4
    })
  })
  const endings = fc.record(
    {
      outcome: fc.constantFrom(...auditOutcomes),
      status: fc.integer({ min: 200, max: 599 }),
      type: text,
      durationMs: fc.double({ min: -1, max: 1e9, noNaN: true }),
      upstreamStatus: fc.integer({ min: 100, max: 599 }),
      streamKeyRevealed: fc.boolean(),
      note: text
    },
    { requiredKeys: ['outcome'] }
  )
  fc.assert(
    fc.property(subjects, endings, fc.nat(), (subject, ending, timeMs) => {
      const event = toAuditEvent(subject, ending, timeMs)
      const line = JSON.stringify(event)
      const read = JSON.parse(line) as AuditEvent
      return (
        schema.Check(event) &&
        !/[\n\r]/.test(line) &&
        JSON.stringify(read) === line &&
        read.api.operation === subject.action &&
        read.src_endpoint.ip === subject.address &&
        read.metadata.correlation_uid === subject.requestId &&
        read.unmapped.tenant_id === subject.tenantId &&
        read.unmapped.key_id === subject.keyId &&
        read.unmapped.key_fingerprint === (subject.keyFingerprint ?? undefined) &&
        read.unmapped.idempotency_key_fingerprint === (subject.idempotencyKeyFingerprint ?? undefined) &&
        read.unmapped.note === ending.note &&
        read.resources.every(({ uid }, i) => uid === subject.resources[i]?.uid)
      )
    }),
    { numRuns: runs(300) }
  )
  t.pass('every event was read back')
})
