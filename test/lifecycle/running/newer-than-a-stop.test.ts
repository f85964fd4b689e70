import t from 'tap'
import { meetingId, reconciling, runOf, type TestContext } from '../../support/broadcast/reconciling.ts'
import { hourMs } from '../../support/clock.ts'

const minuteMs = 60_000

/** The vendor's clock, in milliseconds beside ours: when the stop was sent and when it is repeated; null: nothing. */
interface VendorClock {
  atStop: number | null
  later: number | null
}

/**
 * Repeats a stop whose answer was lost an hour later, when a run is shown that began so long after it by
 * the vendor's times; the run before ended a minute earlier. Where it proves to be a newer one nothing is sent.
 */
async function repeated(
  t: TestContext,
  { atStop, later }: VendorClock,
  beganMs: number,
  setBackMs = 0
): Promise<string> {
  const { reconcile, sent, clock, vendor, operations } = await reconciling(t)
  const sentAtMs = clock.now()
  const at = (ms: number) => new Date(sentAtMs + ms).toISOString()
  const stop = await sent('stop', { vendorAtMs: atStop === null ? null : sentAtMs + atStop })
  clock.advance(hourMs)
  clock.step(-setBackMs)
  vendor.nowMs = later === null ? null : sentAtMs + hourMs + later
  vendor.active = runOf('a1', { created_at: at(-48 * hourMs) })
  const sessions = [
    { id: 's1', invoked_time: at(-48 * hourMs), stopped_time: at(beganMs - minuteMs) },
    { id: 's2', invoked_time: at(beganMs) }
  ]
  vendor.byId = { livestream: vendor.active, sessions, paging: { total_count: 2, start_offset: 1, end_offset: 2 } }
  await reconcile(stop)
  const isSent = vendor.asked.includes(`stop ${meetingId}`)
  return `${isSent ? 'sent' : 'not sent'}, ${(await operations.find(stop.id))?.state}`
}

const stopped = 'sent, done'
const overtaken = 'not sent, failed'

t.test("a run that began after a stop, by the vendor's clock, is not stopped by it", async t => {
  t.equal(await repeated(t, { atStop: 0, later: 0 }, 30 * minuteMs), overtaken)
  t.equal(await repeated(t, { atStop: 0, later: 0 }, -30 * minuteMs), stopped)
})

t.test("the vendor's times prove nothing where it does not tell its own: the stop is repeated", async t => {
  t.equal(await repeated(t, { atStop: null, later: null }, 30 * minuteMs), stopped)
  t.equal(await repeated(t, { atStop: 0, later: null }, 30 * minuteMs), stopped)
})

t.test(
  'a vendor whose time was not known when the stop was sent tells it later: what has passed since counts',
  async t => {
    t.equal(await repeated(t, { atStop: null, later: hourMs }, hourMs + 30 * minuteMs), overtaken)
    t.equal(await repeated(t, { atStop: null, later: hourMs }, hourMs - minuteMs), stopped)
  }
)

t.test('a clock of the vendor that has jumped ahead since makes no run newer than the stop', async t => {
  t.equal(await repeated(t, { atStop: -10 * minuteMs, later: 0 }, -5 * minuteMs), stopped)
  t.equal(await repeated(t, { atStop: -10 * minuteMs, later: 0 }, minuteMs), overtaken)
})

t.test('our own clock, when it is set back, makes no run newer than the stop, and none older', async t => {
  for (const setBackMs of [30 * minuteMs, 48 * hourMs]) {
    t.equal(await repeated(t, { atStop: 0, later: 0 }, 50 * minuteMs, setBackMs), overtaken)
    t.equal(await repeated(t, { atStop: 0, later: 0 }, minuteMs, setBackMs), overtaken)
    t.equal(await repeated(t, { atStop: 0, later: 0 }, -minuteMs, setBackMs), stopped)
    t.equal(await repeated(t, { atStop: null, later: 0 }, -minuteMs, setBackMs), stopped)
  }
})
