import t, { type Test } from 'tap'
import { UpstreamUnavailable } from '../../../src/domain/refusals/failures.ts'
import type { Run } from '../../../src/domain/runs/run.ts'
import { findOrdered, newStops } from '../../../src/lifecycle/orders/find-ordered.ts'
import { livestreamsIn } from '../../../src/store/tables/livestreams.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import type { StopOrder } from '../../../src/store/tables/runs/stop-orders.ts'
import type { RunningLivestreams, Upstreams } from '../../../src/upstream/provider.ts'
import { manualClock } from '../../support/clock.ts'
import { operationOf, refusalOf, storeWithTenants } from '../../support/store/helper.ts'

const order: StopOrder = {
  ...{ id: 'order 1', reason: 'operator', tenantId: null, operator: 'ada', requestId: 'r', createdAtMs: 1_000 },
  ...{ listedAtMs: null, unasked: [], unowned: [], endedAtMs: null }
}
const suspension: StopOrder = { ...order, reason: 'suspended', tenantId: 'acme' }
const live = (id: string, meeting_id?: string | null) => ({
  id,
  status: 'LIVE',
  ...(meeting_id !== undefined && { meeting_id })
})

interface Given {
  shown?: Partial<RunningLivestreams>
  open?: Partial<Run>[]
  last?: Partial<Run>
  starts?: { meetingId: string; id: string }[]
  later?: { runIds?: string[]; operationIds?: string[] }
  underWay?: string[]
}

/** Meetings m1 of acme and m2 of globex are at `default`, m3 of acme is at `other`; `own` is acme's alone. */
async function finding(t: Test, { shown, open = [], last, starts = [], later, underWay = [] }: Given) {
  const { store } = await storeWithTenants(t)
  const meetings = meetingsIn(store)
  const livestreams = livestreamsIn(store, manualClock())
  await meetings.assign('acme', 'default', ['m1'], 0)
  await meetings.assign('globex', 'default', ['m2'], 0)
  await meetings.assign('acme', 'other', ['m3'], 0)
  const account = (dedicatedTo: string | null) => ({
    dedicatedTo,
    on: () => ({ findRunning: async () => ({ livestreams: [], unreadIn: new Set(), ...shown }) })
  })
  const upstreams = new Map([
    ['default', account(null)],
    ['other', account(null)],
    ['own', account('acme')]
  ])
  const find = findOrdered({
    upstreams: upstreams as unknown as Upstreams,
    runs: { open: async () => open as Run[], lastOf: async () => (last as Run | undefined) ?? null },
    operations: { unsettled: async () => starts.map(start => operationOf('acme', { kind: 'start', ...start })) },
    queue: { startsUnderWay: () => underWay.map(id => ({ id, upstream: 'default' })) },
    meetings,
    livestreams,
    deadline: () => AbortSignal.timeout(1_000),
    orders: {
      async laterRuns() {
        const { runIds = [], operationIds = [] } = later ?? {}
        return { runIds: new Set(runIds), operationIds: new Set(operationIds) }
      }
    }
  })
  return { find, livestreams }
}

t.test(
  'Livegate itself knows of open runs, open starts and starts that wait, if they are not later than the order',
  async t => {
    const run = { upstream: 'default', meetingId: 'm1', livestreamId: 'l1', id: 'run 1' }
    const { find } = await finding(t, {
      open: [run, { ...run, meetingId: 'm2', livestreamId: null, id: 'run 2' }],
      starts: [
        { meetingId: 'm2', id: 'start 1' },
        { meetingId: 'm1', id: 'start 2' }
      ],
      later: { runIds: ['run 2'], operationIds: ['start 2'] },
      underWay: ['m1']
    })
    const names = (found: { meetingId: string | null; runId: string | null }[]) =>
      found.map(one => [one.meetingId, one.runId])
    t.strictSame(names((await find.known(order)).runs), [
      ['m1', 'run 1'],
      ['m2', null],
      ['m1', null]
    ])
    const suspended = names((await find.known(suspension)).runs)
    t.strictSame(
      suspended,
      [
        ['m1', 'run 1'],
        ['m1', null],
        ['m1', null]
      ],
      'whenever it began'
    )
  }
)

t.test('the tenant that has a meeting now is asked for, at the account where the run is shown', async t => {
  const livestreams = [live('l1', 'm1'), live('l2', 'm2'), live('l3', 'm3'), live('l4', 'M9'), live('l5', null)]
  const { find } = await finding(t, { shown: { livestreams, unreadIn: new Set(['m1']) } })
  const at = await find.shown(order, 'default')
  const names = (runs: typeof at.runs) => runs.map(one => [one.tenantId, one.meetingId, one.livestreamId])
  t.strictSame(names(at.runs), [
    ['acme', 'm1', null],
    ['acme', 'm1', 'l1'],
    ['globex', 'm2', 'l2']
  ])
  t.strictSame(
    at.unowned.map(one => one.livestreamId),
    ['l3', 'l4', 'l5'],
    'm3 is another meeting there'
  )
  const own = await find.shown(suspension, 'own')
  t.strictSame(
    names(own.runs).slice(3),
    [
      ['acme', 'm3', 'l3'],
      ['acme', 'M9', 'l4']
    ],
    'nobody ever had them there'
  )
  t.strictSame(own.unowned, [])
  t.type(await refusalOf(find.shown(order, 'gone')), UpstreamUnavailable)
})

t.test('a livestream that the vendor shows without its meeting is looked up', async t => {
  const shown = { livestreams: [live('l1'), live('l2'), live('l3')] }
  const { find, livestreams } = await finding(t, { shown })
  const owner = { tenantId: 'acme', upstream: 'default', meetingId: 'm1', isProved: true }
  await livestreams.observe({ id: 'l1', ...owner }, { id: 'l1', status: 'LIVE', meeting_id: 'm1' }, 0)
  await livestreams.observe({ id: 'l2', ...owner, meetingId: null }, { id: 'l2', status: 'LIVE' }, 0)
  const { runs, unowned } = await find.shown(order, 'default')
  t.match(runs, [
    { meetingId: 'm1', livestreamId: 'l1' },
    { meetingId: null, livestreamId: 'l2' }
  ])
  t.match(unowned, [{ livestreamId: 'l3' }])
})

t.test('a run that a start of ours has begun since the order is not meant, but for a suspension', async t => {
  const last = { id: 'run 1', endedAtMs: null, operationId: 'start 1' }
  const shown = { livestreams: [live('l1', 'm1')] }
  const later = { runIds: ['run 1'] }
  const { find } = await finding(t, { shown, last, later })
  t.strictSame((await find.shown(order, 'default')).runs, [])
  t.match((await find.shown(suspension, 'default')).runs, [{ livestreamId: 'l1', runId: 'run 1' }])
  for (const meant of [
    { shown, last },
    { shown, later, last: { ...last, operationId: null } }
  ]) {
    const again = await finding(t, meant)
    t.match((await again.find.shown(order, 'default')).runs, [{ runId: 'run 1' }])
  }
  const over = await finding(t, { shown, later, last: { ...last, endedAtMs: 1_002 } })
  t.match((await over.find.shown(order, 'default')).runs, [{ runId: null }], 'the ledger does not know this run yet')
})

t.test('each livestream has one stop in an order, however often it is found', t => {
  const run = { upstream: 'default', tenantId: 'acme', meetingId: 'm1', livestreamId: 'l1', runId: null }
  const second = { ...run, livestreamId: 'l2' }
  const free = { ...run, meetingId: null, livestreamId: 'l3' }
  const elsewhere = { ...run, upstream: 'other' }
  const added = newStops('order 1', [], [run, run, second, free, free, elsewhere])
  t.strictSame(
    added.map(({ upstream, place }) => [upstream, place]),
    [
      ['default', 'm1'],
      ['default', 'l2'],
      ['default', 'l3'],
      ['other', 'm1']
    ]
  )
  t.strictSame(newStops('order 1', added, [second, free]), [])
  const starting = newStops('order 1', [], [{ ...run, livestreamId: null }, run])
  t.match(starting, [{ place: 'm1', livestreamId: null }], 'its start speaks for it')
  t.equal(starting.length, 1)
  t.end()
})
