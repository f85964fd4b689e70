import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { gateway } from '../../support/gateway.ts'
import fc, { runs } from '../../support/runner/properties.ts'
import { seedOf } from '../../support/runner/seeds.ts'
import { until } from '../../support/until.ts'

/** Happenings at the vendor, and what becomes of the webhooks that wait. Numbers choose among them. */
const step = fc.oneof(
  fc.record({ do: fc.constantFrom('start' as const, 'end' as const) }),
  fc.record({ do: fc.constant('release' as const), which: fc.array(fc.nat(), { maxLength: 4 }) })
)
/** At the end some of those that wait arrive, in any order, some twice; the others are lost. */
const history = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 8 }),
  last: fc.array(fc.nat(), { minLength: 1, maxLength: 6 })
})

async function world(t: Test, vendor: 'dyte' | 'realtimekit') {
  const { simulator, url, store, directory } = await gateway(t, { simulator: { vendor } })
  const { webhooks } = simulator
  const events = ['livestreaming.statusUpdate', 'meeting.started', 'meeting.ended']
  webhooks.register({ name: 'livegate', url: `${url}/webhooks/default`, events })
  const open = store.sql.selectFrom('webhook_deliveries').select('seq').where('noticed_at', 'is', null).compile()
  return {
    simulator,
    webhooks,
    async meeting(): Promise<string> {
      const id = simulator.addMeeting().id
      await meetingsIn(store).assign('acme', 'default', [id], Date.now())
      await directory.pull()
      return id
    },
    /** Sends some of those that wait, chosen by these numbers, each under an id of its own. */
    async release(numbers: number[], repeatId: 'same' | 'new'): Promise<void> {
      const waiting = webhooks.waiting().map(({ id }) => id)
      if (waiting.length === 0) return
      webhooks.behave({ repeatId })
      await webhooks.release(numbers.map(one => waiting[one % waiting.length] ?? ''))
      await until(async () => (await store.engine.read(open)).length === 0)
    },
    async status(livestreamId: string): Promise<string | undefined> {
      const query = store.sql.selectFrom('livestreams').select('status').where('id', '=', livestreamId)
      return (await store.engine.read(query.compile()))[0]?.status
    },
    /** Events of a meeting's runs, in order, as `run type`. */
    async events(meetingId: string): Promise<string[]> {
      const query = store.sql.selectFrom('run_events').select(['run_id', 'type']).where('meeting_id', '=', meetingId)
      return (await store.engine.read(query.orderBy('seq').compile())).map(({ run_id, type }) => `${run_id} ${type}`)
    }
  }
}

// They wait, each for a gateway of its own.
t.jobs = 8

/** Each of them is a gateway with histories of its own. */
const parts = [1, 2, 3, 4]
const cases = (['dyte', 'realtimekit'] as const).flatMap(vendor => parts.map(part => ({ vendor, part })))

for (const { vendor, part } of cases) {
  t.test(
    `${vendor} (${part}): however webhooks come, what is known ends as it is at the vendor, and no event is told of twice`,
    async t => {
      const { simulator, webhooks, meeting, release, status, events } = await world(t, vendor)
      await fc.assert(
        fc.asyncProperty(
          history,
          fc.constantFrom('same' as const, 'new' as const),
          async ({ steps, last }, repeatId) => {
            const id = await meeting()
            webhooks.behave({ hold: true })
            const truth = () => simulator.livestreams().find(one => one.meeting_id === id)
            for (const one of steps) {
              const isLive = truth()?.status === 'LIVE'
              if (one.do === 'release') await release(one.which, repeatId)
              else if (one.do === 'start' && !isLive) simulator.startFromBrowser(id)
              else if (one.do === 'end' && isLive) simulator.end(truth()?.id ?? '')
              else continue
              webhooks.look()
            }
            const { id: livestream = randomUUID(), status: shown } = truth() ?? {}
            // News of the livestream's last change arrive in the end, unless they have arrived already.
            const newest = webhooks.waiting().findLastIndex(({ event }) => event === 'livestreaming.statusUpdate')
            await release(newest < 0 ? last : [...last, newest], repeatId)
            await webhooks.release()
            if (shown !== undefined) t.equal(await status(livestream), shown)
            const told = await events(id)
            t.strictSame(told, [...new Set(told)], 'no event is told of twice')
          }
        ),
        { numRuns: runs(500 / parts.length), seed: seedOf('properties', `histories ${vendor} ${part}`) | 0 }
      )
    }
  )
}
