import t from 'tap'
import type { Operation } from '../../../src/domain/operation.ts'
import { type OperationEnd, operationsIn } from '../../../src/store/tables/operations.ts'
import { operationOf, storeWithTenants } from '../../support/store/helper.ts'

async function world(t: Parameters<typeof storeWithTenants>[0]) {
  const { store } = await storeWithTenants(t)
  const operations = operationsIn(store)
  const end = (id: string, how: OperationEnd, atMs: number) => store.engine.write([operations.ended(id, how, atMs)])
  return {
    since: async (ms: number) => (await operations.settledSince(ms)).map(({ id }) => id),
    end,
    overrule: (meetingId: string, sinceMs: number) =>
      store.engine.write([operations.overruled({ id: meetingId, upstream: 'default' }, sinceMs)]),
    /** Each in a meeting of its own: some may be open at the same time. */
    async sent(id: string, more: Partial<Operation> = {}, how?: OperationEnd, atMs = 2_000): Promise<void> {
      await store.engine.write([operations.sent(operationOf('acme', { id, meetingId: id, ...more }))])
      if (how !== undefined) await end(id, how, atMs)
    }
  }
}

t.test(
  'starts that came to something and stops that were confirmed are told in their order, whatever their times',
  async t => {
    const { sent, end, since } = await world(t)
    await sent('start', { sentAtMs: 9_000 }, { state: 'done', livestreamId: 'a1' }, 9_500)
    await sent('stop', { kind: 'stop', sentAtMs: 5_000 }, { state: 'done', confirmed: { vendorAtMs: null } }, 7_000)
    await sent('refused first', { kind: 'stop' }, { state: 'unknown', upstreamStatus: 400 })
    await end('refused first', { state: 'done', confirmed: { vendorAtMs: null } }, 7_000)
    await sent('refused start, live all the same', { sentAtMs: 1_000 }, { state: 'done', upstreamStatus: 409 }, 2_000)
    t.strictSame(await since(0), ['start', 'stop', 'refused first', 'refused start, live all the same'])
    t.strictSame(await since(7_000), ['start', 'stop', 'refused first'], 'since then, that moment with it')
    t.strictSame(await since(7_001), ['start'])
  }
)

t.test(
  'an operation that is open, failed, not confirmed, not sent or neither start nor stop is not among them',
  async t => {
    const { sent, since } = await world(t)
    await sent('under way')
    await sent('unknown', {}, { state: 'unknown' })
    await sent('unknown stop', { kind: 'stop' }, { state: 'unknown' })
    await sent('failed', {}, { state: 'failed' })
    await sent('failed stop', { kind: 'stop' }, { state: 'failed' })
    await sent('stop of nothing', { kind: 'stop' }, { state: 'done' })
    await sent('change', { kind: 'update_meeting' }, { state: 'done' })
    const settled = { state: 'done', settledAtMs: 2_000, answer: { status: 200, body: { data: {} } } } as const
    const key = (id: string) => ({ idempotency: { keyFingerprint: id, requestFingerprint: 'r' } })
    await sent('answered start', { ...settled, ...key('k1') })
    await sent('answered stop', { kind: 'stop', ...settled, ...key('k2') })
    t.strictSame(await since(0), [])
  }
)

t.test(
  'a confirmed stop whose run is wanted after all is told of no more; those of before, and elsewhere, stay',
  async t => {
    const { sent, since, overrule } = await world(t)
    const confirmed = { state: 'done', confirmed: { vendorAtMs: null } } as const
    await sent('long ago', { kind: 'stop', meetingId: 'm1' }, confirmed, 1_000)
    await sent('stop', { kind: 'stop', meetingId: 'm1' }, confirmed, 5_000)
    await sent('elsewhere', { kind: 'stop', meetingId: 'm2' }, confirmed, 5_000)
    await overrule('m1', 4_000)
    t.strictSame(await since(0), ['long ago', 'elsewhere'])
  }
)
