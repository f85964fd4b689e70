import t from 'tap'
import type { OwnedLivestream } from '../../../src/domain/livestream.ts'
import type { OwnedMeeting } from '../../../src/domain/meeting.ts'
import type { WebhookNotice } from '../../../src/domain/webhooks/vendor-webhook.ts'
import type { Sight } from '../../../src/lifecycle/running/sight.ts'
import { Noticing, type NoticingDeps } from '../../../src/lifecycle/webhooks-in/noticing.ts'
import { stayAwake } from '../../support/awake.ts'

stayAwake(t)

const meeting: OwnedMeeting = { id: 'm1', tenantId: 'acme', upstream: 'default' }
const about = {
  upstream: 'default',
  event: 'meeting.ended',
  livestreamId: null,
  meetingId: 'm1',
  sessionId: null
} as const
const news = (change: Partial<WebhookNotice> = {}): WebhookNotice => ({ ...about, ...change })
const livestream = (id: string, status = 'LIVE'): OwnedLivestream => ({
  id,
  tenantId: 'acme',
  upstream: 'default',
  meetingId: 'm1',
  status,
  isProved: true
})
const sees = (id: string | null): Sight => ({
  livestream: id === null ? null : { id, status: 'LIVE' },
  ...{ isNobodys: false, isEnding: false, isUnclear: false, isWeak: false }
})

/** Parts that write down what they are asked for. */
function world(given: Partial<NoticingDeps> = {}) {
  const looks: string[] = []
  const warnings: string[] = []
  const ending = new AbortController()
  const noticing = new Noticing({
    whose: async () => ({ meeting }),
    async whatRuns({ id }) {
      looks.push(id)
      return sees(null)
    },
    async refresh({ id }) {
      looks.push(id)
    },
    async makeKnown(_meeting, id) {
      looks.push(`new ${id}`)
    },
    openRunsOf: () => [],
    directory: { livestream: async () => null },
    bounded: work => work(new AbortController().signal),
    log: { warn: (_facts, message) => void warnings.push(message) },
    ending: ending.signal,
    pausesMs: [1, 1],
    ...given
  })
  return { noticed: noticing.noticed, looks, warnings, ending }
}

t.test('news of one thing that come while it is being looked at share one look, which begins after them', async t => {
  const begun: (() => void)[] = []
  const { noticed } = world({
    whatRuns: () => new Promise(resolve => begun.push(() => resolve(sees(null))))
  })
  const first = noticed(news())
  await new Promise(setImmediate)
  const others = [noticed(news()), noticed(news()), noticed(news({ event: 'meeting.started' }))]
  t.equal(begun.length, 1)
  begun[0]?.()
  t.equal(await first, true)
  await new Promise(setImmediate)
  t.equal(begun.length, 2, 'the one under way may have looked too early')
  begun[1]?.()
  t.strictSame(await Promise.all(others), [true, true, true])
  t.equal(begun.length, 2)
})

t.test('news of nobody’s is done with that', async t => {
  const { noticed, looks } = world({ whose: async () => null })
  t.equal(await noticed(news()), true)
  t.strictSame(looks, [])
})

t.test('a livestream without a meeting is asked for by its id', async t => {
  const { noticed, looks } = world({ whose: async () => ({ livestream: livestream('l1') }) })
  t.equal(await noticed(news({ meetingId: null, livestreamId: 'l1' })), true)
  t.strictSame(looks, ['l1'])
})

t.test('the livestream that was told of is asked for where the meeting shows another one', async t => {
  for (const [shown, known, expected] of [
    ['l1', livestream('l1'), ['m1']],
    ['l2', livestream('l1'), ['m1', 'l1']],
    [null, livestream('l1', 'INVOKED'), ['m1', 'l1']],
    [null, livestream('l1', 'IDLE'), ['m1']],
    ['l2', null, ['m1', 'new l1']]
  ] as const) {
    const looks: string[] = []
    const { noticed } = world({
      async whatRuns({ id }) {
        looks.push(id)
        return sees(shown)
      },
      async refresh({ id }) {
        looks.push(id)
      },
      async makeKnown(_meeting, id) {
        looks.push(`new ${id}`)
      },
      openRunsOf: () => [{ livestreamId: 'l1' }],
      directory: { livestream: async () => known }
    })
    t.equal(await noticed(news({ event: 'livestreaming.statusUpdate', livestreamId: 'l1' })), true)
    t.strictSame(looks, expected, `${shown} ${known?.status}`)
  }
})

t.test(
  'a run that begins soon after another one of its livestream is asked for by its id, which shows its session',
  async t => {
    for (const event of ['livestreaming.statusUpdate', 'meeting.started'] as const) {
      const { noticed, looks } = world({
        whatRuns: async () => sees('l1'),
        openRunsOf: () => [{ livestreamId: null }, { livestreamId: 'l2' }],
        directory: { livestream: async () => livestream('l1', 'LIVE') }
      })
      const livestreamId = event === 'meeting.started' ? null : 'l1'
      t.equal(await noticed(news({ event, livestreamId })), true)
      t.strictSame(looks, ['l1'], event)
    }
  }
)

t.test('a look that fails is repeated, and then given up with a warning', async t => {
  let tries = 0
  const failing = (times: number) =>
    world({
      async whatRuns() {
        tries += 1
        if (tries <= times) throw new Error('the vendor is away')
        return sees(null)
      }
    })
  const once = failing(1)
  t.equal(await once.noticed(news()), true)
  t.equal(tries, 2)
  t.strictSame(once.warnings, [])
  tries = 0
  const ever = failing(100)
  t.equal(await ever.noticed(news()), false)
  t.equal(tries, 3)
  t.strictSame(ever.warnings, ['nobody could look at what a webhook tells of'])
})

t.test('at the end of the gateway nothing is looked at any more', async t => {
  const { noticed, looks, ending } = world()
  ending.abort()
  t.equal(await noticed(news()), false)
  t.strictSame(looks, [])
})

t.test('eight looks at a time, and those that wait for a turn take no place', async t => {
  const open: (() => void)[] = []
  const waiting: (() => void)[] = []
  const { noticed } = world({
    async whose({ meetingId }) {
      if (meetingId === 'stranger') await new Promise<void>(resolve => waiting.push(resolve))
      return { meeting: { ...meeting, id: meetingId ?? '' } }
    },
    whatRuns: () => new Promise(resolve => open.push(() => resolve(sees(null))))
  })
  const strangers = Array.from({ length: 20 }, (_, i) =>
    noticed(news({ meetingId: 'stranger', livestreamId: `l${i}` }))
  )
  const looks = Array.from({ length: 20 }, (_, i) => noticed(news({ meetingId: `m${i}` })))
  await new Promise(setImmediate)
  t.equal(waiting.length, 20)
  t.equal(open.length, 8)
  for (const end of waiting) end()
  for (let done = 0; done < 40; done++) {
    while (open[done] === undefined) await new Promise(setImmediate)
    open[done]?.()
  }
  t.ok((await Promise.all([...looks, ...strangers])).every(Boolean))
})

t.test('beyond a bound news are left to others', async t => {
  const { noticed, warnings } = world({ whose: () => new Promise(() => {}) })
  for (let i = 0; i < 5_000; i++) void noticed(news({ meetingId: `m${i}` }))
  t.equal(await noticed(news({ meetingId: 'one-more' })), false)
  t.equal(warnings.length, 1)
})
