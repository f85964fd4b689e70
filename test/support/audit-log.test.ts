import { randomBytes } from 'node:crypto'
import { dirname } from 'node:path'
import t from 'tap'
import { openAudited } from '../../src/audited-store/audited-store.ts'
import type { AuditEvent } from '../../src/domain/audit/audit-event.ts'
import type { Store } from '../../src/store/store.ts'
import { auditEventsIn } from '../../src/store/tables/audit/audit-events.ts'
import { checkAuditLog } from './audit-log.ts'
import { manualClock } from './clock.ts'
import { gateway } from './gateway.ts'
import { eventOf, storeWithTenants } from './store/helper.ts'

const secret = randomBytes(16).toString('hex')

/** A signed store with these events, by the key that it made. */
async function signed(t: Parameters<typeof storeWithTenants>[0], ...events: AuditEvent[]): Promise<Store> {
  const { store, file } = await storeWithTenants(t)
  const onTrouble = (error: unknown): never => {
    throw error
  }
  const audited = await openAudited({ store, places: { dataDir: dirname(file) }, clock: manualClock(), onTrouble })
  await store.engine.write(events.map(audited.events.append))
  await audited.checkpointer.sign()
  return store
}

async function complaintOf(store: Store): Promise<string> {
  return checkAuditLog(store, { 'the secret': secret }).then(
    () => 'none',
    error => error.message
  )
}

t.test('the check that every test ends with', async t => {
  t.test('finds nothing in a log that is as it must be', async t => {
    t.equal(await complaintOf(await signed(t)), 'none')
    t.equal(await complaintOf(await signed(t, eventOf(), eventOf({ tenantId: null }))), 'none')
  })

  t.test('finds an event that does not fit its schema, or says more than it names', async t => {
    const wrong = { ...eventOf(), status_id: 7 } as AuditEvent
    t.match(await complaintOf(await signed(t, eventOf(), wrong)), /^audit event 2 does not fit its schema: \/status_id/)
    const more = { ...eventOf(), unmapped: { ...eventOf().unmapped, more: 1 } } as AuditEvent
    t.match(await complaintOf(await signed(t, eventOf(), more)), /^audit event 2 says what its schema does not name/)
  })

  t.test('finds a secret, also one in disguise', async t => {
    const leaks = [secret, `x${secret}x`, Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('hex')]
    for (const uid of leaks) {
      const leak = eventOf({ resources: [{ type: 'meeting', uid: uid.slice(0, 64) }] })
      t.equal(await complaintOf(await signed(t, eventOf(), leak)), 'audit event 2 holds the secret', uid)
    }
  })

  t.test('finds a link that is broken, and a tail that is cut', async t => {
    const changed = await signed(t, eventOf(), eventOf(), eventOf())
    const change = changed.sql
      .updateTable('audit_events')
      .set({ hash: 'f'.repeat(64) })
      .where('seq', '=', 2)
    await changed.engine.write([change.compile()])
    t.match(await complaintOf(changed), /^audit event 2: changed/)
    const cut = await signed(t, eventOf(), eventOf(), eventOf())
    await cut.engine.write([cut.sql.deleteFrom('audit_events').where('seq', '=', 3).compile()])
    t.match(await complaintOf(cut), /^the audit log, event 3: missing/)
  })

  t.test('finds that a log was never signed', async t => {
    const { store } = await storeWithTenants(t)
    await store.engine.write([auditEventsIn(store).append(eventOf())])
    t.equal(await complaintOf(store), 'the audit log was never signed')
  })
})

t.test(
  'a gateway whose log is wrong makes its test fail when it ends, and everything is closed all the same',
  async t => {
    const ends: (() => unknown)[] = []
    const inner = { teardown: (end: () => unknown) => ends.push(end), testdir: () => t.testdir() }
    const { withKey, asAcme, store, simulator } = await gateway(inner)
    const { key } = await withKey('acme', ['livestreams:read'])
    t.equal((await asAcme('GET', '/v2/livestreams')).statusCode, 200)
    await store.engine.write([
      auditEventsIn(store).append(eventOf({ resources: [{ type: 'key', uid: key.slice(0, 62) }] }))
    ])
    const [removeFolder, end] = ends
    t.teardown(removeFolder ?? (() => {}))
    await t.rejects(Promise.resolve(end?.()), { message: /^audit event \d holds the key / })
    await t.rejects(fetch(simulator.origin), 'the simulator is closed')
    await t.rejects(store.engine.read(store.sql.selectFrom('meta').selectAll().compile()), 'and so is the store')
  }
)
