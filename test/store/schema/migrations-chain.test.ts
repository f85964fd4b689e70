import { join } from 'node:path'
import { sql as raw } from 'kysely'
import t from 'tap'
import { LogVerifier } from '../../../src/audit/proof/verify.ts'
import { openAudited } from '../../../src/audited-store/audited-store.ts'
import { type ChainedEvent, chainHash, noHash } from '../../../src/domain/audit/audit-chain.ts'
import type { AuditEvent } from '../../../src/domain/audit/audit-event.ts'
import type { Store } from '../../../src/store/store.ts'
import { auditEventsIn } from '../../../src/store/tables/audit/audit-events.ts'
import { auditNotesIn } from '../../../src/store/tables/audit/audit-notes.ts'
import { manualClock } from '../../support/clock.ts'
import { engineOfVersion, eventOf } from '../../support/store/helper.ts'
import { openStoreHere, sqlOfStores } from '../../support/store.ts'

const sql = sqlOfStores()

/** A store as the first version left it, with these events. */
async function storeOfVersion1(file: string, events: AuditEvent[]): Promise<void> {
  const engine = await engineOfVersion(file, 1)
  for (const [i, event] of events.entries()) {
    const { time, unmapped, api, metadata } = event
    const columns = raw.join([
      i + 1,
      time,
      unmapped.tenant_id,
      api.operation,
      unmapped.outcome,
      metadata.correlation_uid
    ])
    const insert = raw`insert into audit_events (seq, time, tenant_id, action, outcome, request_id, event)
      values (${columns}, ${JSON.stringify(event)})`
    await engine.write([insert.compile(sql)])
  }
  await engine.close()
}

async function chainIn(store: Store): Promise<ChainedEvent[]> {
  const chain: ChainedEvent[] = []
  for await (const events of auditEventsIn(store).walk()) chain.push(...events)
  return chain
}

t.test(
  'the events of an older version are chained as they stand, in order, and can be proved from then on',
  async t => {
    const folder = t.testdir()
    const file = join(folder, 'livegate.db')
    const texts = ["O'Reilly", '🎥 "quoted"', '\0\r\n', '\ud800', 'plain']
    const events = texts.map((uid, i) =>
      eventOf(
        { requestId: `r${i}`, tenantId: i % 2 === 0 ? 'acme' : null, resources: [{ type: 'meeting', uid }] },
        { outcome: 'refused', status: 404 },
        Date.now() - 1_000 + i
      )
    )
    await storeOfVersion1(file, events)

    const store = await openStoreHere(file)
    t.teardown(() => store.close())
    const before = await chainIn(store)
    t.strictSame(
      before.map(({ seq, event }) => [seq, event]),
      events.map((event, i) => [i + 1, JSON.stringify(event)])
    )
    let hash = noHash
    for (const event of before) {
      t.equal(event.prevHash, hash)
      hash = chainHash(hash, event.event)
      t.equal(event.hash, hash)
    }

    const onTrouble = (error: unknown): never => t.fail(String(error)) as never
    const audited = await openAudited({ store, places: { dataDir: folder }, clock: manualClock(), onTrouble })
    await store.engine.write([audited.events.append(eventOf({}, { outcome: 'done' }, Date.now()))])
    await audited.checkpointer.sign()
    const notes = auditNotesIn(store)
    const { publicKey } = audited.keys.signer
    const evidence = { log: await notes.logName(), notes: await notes.list(), publicKey, trustedKey: publicKey }
    const verifier = new LogVerifier(evidence)
    for (const event of await chainIn(store)) t.equal(verifier.next(event), null, `event ${event.seq}`)
    t.match(verifier.end(), { firstSeq: 1, lastSeq: 6, signedSeq: 6 })
  }
)

t.test('a store without an event begins its chain with the first one, and has a name for its log', async t => {
  const [one, other] = [join(t.testdir(), 'one.db'), join(t.testdir(), 'other.db')]
  const names: string[] = []
  for (const file of [one, other]) {
    await storeOfVersion1(file, [])
    const store = await openStoreHere(file)
    t.teardown(() => store.close())
    t.strictSame(await chainIn(store), [])
    await store.engine.write([auditEventsIn(store).append(eventOf())])
    t.match(await chainIn(store), [{ seq: 1, prevHash: noHash }])
    names.push(await auditNotesIn(store).logName())
  }
  for (const name of names) t.match(name, /^livegate\.audit\/[0-9a-f]{16}$/)
  t.not(names[0], names[1], 'so that the checkpoints of one are not taken for those of the other')
})
