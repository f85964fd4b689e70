import t from 'tap'
import type { LivestreamSession, LivestreamWithKey } from '../../../src/domain/livestream.ts'
import type { PlacedMeeting } from '../../../src/domain/meeting.ts'
import { UpstreamTooLate } from '../../../src/domain/refusals/failures.ts'
import type { Page } from '../../../src/domain/values/paging.ts'
import { ofAnotherMeeting } from '../../../src/lifecycle/resources/known-meetings.ts'
import { type FindStartedDeps, findStarted } from '../../../src/lifecycle/running/find-started.ts'
import { StoreError } from '../../../src/store/engine/engine.ts'
import type { LastSeen } from '../../../src/store/tables/livestreams.ts'
import type { LivestreamWithSessions as Run, RunningLivestreams, Upstreams } from '../../../src/upstream/provider.ts'
import { runOf } from '../../support/broadcast/reconciling.ts'
import { manualClock } from '../../support/clock.ts'

const sentAtMs = Date.parse('2026-03-01T10:00:00.000Z')
const before = '2026-03-01T09:59:59.999Z'
const after = '2026-03-01T10:00:00.000Z'
const meeting = { id: 'm1', tenantId: 'acme', upstream: 'default' }

/** The vendor's view of the meeting, and the run that our store has seen last. */
interface Shown {
  active?: LivestreamWithKey
  runs?: Run[]
  /** By their own id. */
  byId?: Run[]
  last?: string
  /** A further page of a livestream's runs. */
  lastPage?: Run
  trouble?: ('active' | 'runs' | 'byId' | 'store' | 'own' | 'lists')[]
  /** In the meeting's own word. */
  own?: Run[]
  /** In the lists of all that runs. */
  running?: RunningLivestreams
  /** The vendor's clock now, a second after the start was sent by our own. */
  vendorNowMs?: number
  /** The run was stopped a moment ago, as far as is known. */
  isEnding?: boolean
  /** Known as another meeting's. */
  foreign?: string
  /** By the vendor's clock; null when it tells none. */
  sentAt?: number | null
  /** Done starts of the meeting, the last one first. */
  startsBefore?: number[]
}

async function look({ active, runs = [], byId = [], last, trouble = [], isEnding = false, ...more }: Shown) {
  const { foreign, sentAt = sentAtMs, lastPage = null, startsBefore = [], own = [], running, vendorNowMs } = more
  const clock = manualClock()
  const monotonicMs = clock.monotonic()
  clock.advance(1_000)
  const asked: string[] = []
  const ask = (what: NonNullable<Shown['trouble']>[number], text: string = what): void => {
    asked.push(text)
    if (trouble.includes(what)) throw new UpstreamTooLate()
  }
  const provider = {
    async findRuns() {
      ask('runs')
      return [...runs]
    },
    async findInMeeting() {
      ask('own')
      return own
    },
    async findRunning() {
      ask('lists')
      return running ?? { livestreams: [], unreadIn: new Set() }
    },
    async findLivestream(id: string, { pageNo, perPage }: Page) {
      ask('byId', `byId ${id}${pageNo === 1 ? '' : ` page ${pageNo} of ${perPage}`}`)
      if (pageNo > 1) return lastPage
      return byId.find(({ livestream }) => livestream.id === id) ?? null
    }
  }
  const deps = {
    upstreams: new Map([
      ['default', { on: () => provider, vendorNowMs: () => vendorNowMs ?? null }]
    ]) as unknown as Upstreams,
    livestreams: {
      async lastSeenIn({ id: meetingId }: PlacedMeeting) {
        if (trouble.includes('store')) throw new StoreError('gone')
        return meetingId === 'm1' && last !== undefined ? ({ id: last } as LastSeen) : null
      }
    },
    endingRuns: { showEnding: () => isEnding },
    knownMeetings: {
      async has(_meeting, id) {
        if (id === foreign) throw ofAnotherMeeting()
        return false
      },
      whereIs: async () => null,
      note() {},
      spelt: async one => one
    },
    ownStarts: { begunRun: () => null },
    async whatRuns() {
      ask('active')
      return { livestream: active ?? null, isNobodys: false, isEnding: false, isUnclear: false, isWeak: false }
    },
    clock
  } satisfies FindStartedDeps
  const sent = { atMs: sentAt, before: startsBefore, monotonicMs }
  const found = findStarted(deps)(meeting, sent, AbortSignal.timeout(60_000))
  const livestream = found.then(one => (one === null || one === 'unclear' ? one : one.livestream))
  return { found: await livestream.catch(error => error), asked }
}

/** A run of this meeting, over by now unless said otherwise, and shown with all of its sessions. */
function run(id: string, sessions: Partial<LivestreamSession>[], how: Partial<LivestreamWithKey> = {}): Run {
  return pageOfMany(id, sessions, sessions.length, how)
}

/** The same with some of so many sessions. */
function pageOfMany(
  id: string,
  sessions: Partial<LivestreamSession>[],
  total_count: number,
  how: Partial<LivestreamWithKey> = {}
): Run {
  return {
    livestream: runOf(id, { status: 'IDLE', ...how }),
    sessions: sessions.map(one => ({ id: 's', ...one })),
    paging: { total_count, start_offset: 1, end_offset: sessions.length }
  }
}

t.test('the active livestream is evidence enough: nothing was live when the start was sent', async t => {
  const active = runOf('a1', { created_at: before })
  const { found, asked } = await look({ active, trouble: ['runs'] })
  t.equal(found, active)
  t.strictSame(asked, ['active'])
})

t.test('a run that has begun since the start was sent is evidence, also when it is over by now', async t => {
  const begun: [what: string, run: Run][] = [
    ['invoked in the same millisecond', run('a1', [{ invoked_time: after, stopped_time: after }])],
    ['the newest of several', run('a1', [{ invoked_time: before }, { invoked_time: after }])],
    ['not invoked, but started', run('a1', [{ invoked_time: null, started_time: after }])],
    ['neither, but made', run('a1', [{ invoked_time: null, started_time: null, created_at: after }])],
    ['made, and nothing else is said', run('a1', [{ created_at: after }])],
    ['broken', run('a1', [{ invoked_time: after, err_message: 'no encoder' }], { status: 'ERRORED' })],
    ['without runs, new itself', run('a1', [], { created_at: after })]
  ]
  for (const [what, one] of begun) {
    const { found } = await look({ runs: [run('older', [{ invoked_time: before }]), one] })
    t.match(found, { id: 'a1', status: one.livestream.status, meeting_id: 'm1' }, what)
  }
})

t.test('within the second that the clock leaves open, a run of the start before is not taken for it', async t => {
  const at = (ms: number) => ({ invoked_time: new Date(sentAtMs + ms).toISOString(), stopped_time: after })
  const cases: [what: string, begins: number[], startsBefore: number[], isFound: boolean][] = [
    ['its run alone', [500], [-100], false],
    ['both', [500, 600], [-100], true],
    ['its run, and one from before it', [-2_000, 500], [-100], false],
    ['those of two, each a moment after the other', [-700, 100], [-100, -900], false],
    ['and that of this one', [-700, 100, 600], [-100, -900], true],
    ['a start a second before can have begun no run of this one', [500], [-1_000], true],
    ['a second later the clock tells', [1_000], [-100], true],
    ['its clock was set back since', [500], [700], false]
  ]
  for (const [what, begins, times, isFound] of cases) {
    const startsBefore = times.map(ms => sentAtMs + ms)
    const one = await look({ runs: [run('a1', begins.map(at))], startsBefore })
    t.equal(one.found?.id ?? null, isFound ? 'a1' : null, what)
    const each = begins.map((ms, i) => run(`a${i}`, [at(ms)]))
    const several = await look({ runs: each, startsBefore })
    t.equal(several.found?.id ?? null, isFound ? `a${begins.length - 1}` : null, `${what}, each with an id of its own`)
  }
})

t.test('an older run is not taken for it, though its livestream has the same id', async t => {
  const older: [what: string, run: Run][] = [
    ['ended before', run('a1', [{ invoked_time: before, stopped_time: before }])],
    [
      'ended since, begun before',
      run('a1', [{ invoked_time: before, started_time: after, stopped_time: after, created_at: after }])
    ],
    ['begun and made before', run('a1', [{ created_at: before }], { created_at: before })],
    ['of a livestream that is newer than its run', run('a1', [{ created_at: before }], { created_at: after })],
    ['without runs, made before', run('a1', [], { created_at: before })],
    ['without any time', run('a1', [])],
    ['of a time that is none', run('a1', [{ invoked_time: 'yesterday' }])]
  ]
  for (const [what, one] of older) t.equal((await look({ runs: [one] })).found, null, what)
})

t.test(
  'a run that goes on is evidence whatever its times say, and though it is not shown as the active one',
  async t => {
    for (const status of ['LIVE', 'INVOKED']) {
      const runs = [run('older', []), run('a1', [{ invoked_time: before }], { status })]
      t.match((await look({ runs })).found, { id: 'a1', status })
    }
  }
)

t.test('the last livestream of the meeting is asked for by its id when the list does not show it', async t => {
  const old = run('old-1', [{ invoked_time: after, stopped_time: after }], { created_at: before })
  const beyond = await look({ runs: [run('a1', [])], byId: [old], last: 'old-1' })
  t.match(beyond.found, { id: 'old-1' })
  t.strictSame(beyond.asked, ['active', 'runs', 'byId old-1'])

  const listed = await look({ runs: [old], byId: [old], last: 'old-1' })
  t.match(listed.found, { id: 'old-1' })
  t.strictSame(listed.asked, ['active', 'runs'], 'and not twice')

  t.equal((await look({ last: 'gone' })).found, null, 'the vendor does not have it any more')
  const moved = run('old-1', [{ invoked_time: after }], { meeting_id: 'm2' })
  t.equal((await look({ byId: [moved], last: 'old-1' })).found, null, 'it is in another meeting by now')
  const silent = run('old-1', [{ invoked_time: after }], { meeting_id: null })
  t.match((await look({ byId: [silent], last: 'old-1' })).found, { meeting_id: 'm1' }, 'its meeting is not said')
})

t.test('a vendor that can be asked in part only gives no evidence, neither way', async t => {
  for (const trouble of [['active'], ['byId'], ['own', 'lists']] as const) {
    t.match((await look({ trouble: [...trouble], last: 'a1' })).found, { type: 'upstream_too_late' }, trouble.join())
  }
})

t.test(
  'a run that the newest of the account do not show is found in the word of its meeting, or among all that runs',
  async t => {
    const hidden = run('a1', [{ invoked_time: after }], { status: 'INVOKED' })
    for (const trouble of [[], ['runs']] as const) {
      const { found, asked } = await look({ own: [hidden], trouble: [...trouble] })
      t.match(found, { id: 'a1', status: 'INVOKED', meeting_id: 'm1' }, 'the list may be unreadable as well')
      t.strictSame(asked, ['active', 'runs', 'own'])
    }
    const running = { livestreams: [runOf('b1', { meeting_id: 'm2' }), hidden.livestream], unreadIn: new Set<string>() }
    const listed = await look({ trouble: ['own'], running, byId: [hidden] })
    t.match(listed.found, { id: 'a1', status: 'INVOKED' })
    t.strictSame(
      listed.asked,
      ['active', 'runs', 'own', 'lists', 'byId a1', 'byId a1'],
      'once for its word, and once for its runs'
    )

    t.equal((await look({ trouble: ['runs'] })).found, null, 'what began and ended there leaves nothing live')
    const theirs = { livestreams: [], unreadIn: new Set(['m2']) }
    t.equal(
      (await look({ trouble: ['own'], running: theirs })).found,
      null,
      "another meeting's entry says nothing of ours"
    )
    const ours = { livestreams: [], unreadIn: new Set(['m1']) }
    t.match((await look({ trouble: ['own'], running: ours })).found, { type: 'upstream_malformed' })
    t.match((await look({ own: [hidden], foreign: 'a1' })).found, { type: 'upstream_malformed' })
  }
)

t.test(
  "while the vendor's clock says another time of the start than it said then, only a run that goes on is its own",
  async t => {
    const over = run('a1', [{ invoked_time: after, stopped_time: after }])
    for (const stepMs of [-600_000, -2_001, 2_001, 600_000]) {
      const vendorNowMs = sentAtMs + 1_000 + stepMs
      t.equal((await look({ runs: [over], vendorNowMs })).found, null, `${stepMs} ms`)
      const ongoing = run('a1', [{ invoked_time: after }], { status: 'INVOKED' })
      t.match((await look({ runs: [ongoing], vendorNowMs })).found, { id: 'a1' }, `${stepMs} ms`)
    }
    for (const stepMs of [-2_000, 0, 2_000])
      t.match(
        (await look({ runs: [over], vendorNowMs: sentAtMs + 1_000 + stepMs })).found,
        { id: 'a1' },
        `${stepMs} ms`
      )
  }
)

t.test('a store that cannot be read leaves the word of the vendor', async t => {
  t.equal((await look({ trouble: ['store'] })).found, null)
  t.match((await look({ trouble: ['store'], runs: [run('a1', [{ invoked_time: after }])] })).found, { id: 'a1' })
})

t.test(
  'a run that was stopped before the start is not taken for it, and one that nothing tells apart settles nothing',
  async t => {
    const old = run('a1', [{ invoked_time: before }], { status: 'INVOKED' })
    t.equal((await look({ runs: [old], isEnding: true })).found, null)
    const ours = run('a1', [{ invoked_time: before }, { invoked_time: after }], { status: 'INVOKED' })
    t.match((await look({ runs: [ours], isEnding: true })).found, { id: 'a1' })
    t.equal((await look({ runs: [run('a1', [], { status: 'LIVE' })], isEnding: true })).found, 'unclear')
    t.match((await look({ runs: [run('a1', [], { status: 'LIVE' })] })).found, { id: 'a1' })
  }
)

t.test("without the vendor's clock no run that is over is taken for it, and one that goes on is", async t => {
  const over = [
    run('a1', [{ invoked_time: after, stopped_time: after }]),
    run('a1', [{ created_at: after }]),
    run('a1', [], { created_at: after })
  ]
  for (const one of over) t.equal((await look({ runs: [one], sentAt: null })).found, null)
  const ongoing = run('a1', [{ invoked_time: before }], { status: 'INVOKED' })
  t.match((await look({ runs: [ongoing], sentAt: null })).found, { id: 'a1' })
  t.match((await look({ active: runOf('a1'), sentAt: null })).found, { id: 'a1' })
})

t.test("a list that shows another meeting's livestream is no evidence: it is refused", async t => {
  const ours = run('a1', [{ invoked_time: after }])
  const byItself = run('b1', [{ invoked_time: after }], { status: 'LIVE', meeting_id: 'm2' })
  t.match((await look({ runs: [ours, byItself] })).found, { type: 'upstream_malformed' }, 'by its own word')
  const theirs = run('b1', [{ invoked_time: after }], { status: 'LIVE' })
  t.match((await look({ runs: [theirs, ours], foreign: 'b1' })).found, { type: 'upstream_malformed' }, 'as is known')
  const silent = run('a1', [{ invoked_time: after }], { meeting_id: null })
  t.match((await look({ runs: [silent], foreign: 'b1' })).found, { id: 'a1' }, 'one that says nothing may be ours')
})

t.test(
  'a look asks for the last page of a livestream with more runs than are shown: the newest may be there',
  async t => {
    const old = Array.from({ length: 10 }, (_, i) => ({ id: `old-${i}`, invoked_time: before, stopped_time: before }))
    const listed = pageOfMany('a1', old, 25)
    const ended = pageOfMany('a1', [{ id: 'new', invoked_time: after, stopped_time: after }], 25)
    const ours = await look({ runs: [listed], lastPage: ended })
    t.match(ours.found, { id: 'a1' })
    t.strictSame(ours.asked, ['active', 'runs', 'byId a1 page 3 of 10'], 'in pages as large as the vendor gives them')
    t.match((await look({ byId: [listed], last: 'a1', lastPage: ended })).found, { id: 'a1' }, 'asked for by its id')

    const nothing = pageOfMany('a1', [{ id: 'older', invoked_time: before, stopped_time: before }], 25)
    t.equal((await look({ runs: [listed], lastPage: nothing })).found, null, 'both ends show nothing')
  }
)

t.test('a vendor that shows less than it counts, or the same page again, proves nothing', async t => {
  const listed = pageOfMany('a1', [{ id: 'old', invoked_time: before, stopped_time: before }], 12)
  t.equal((await look({ runs: [listed], lastPage: listed })).found, 'unclear')
  t.equal((await look({ runs: [listed], lastPage: pageOfMany('a1', [], 12) })).found, 'unclear')
  t.equal((await look({ runs: [listed] })).found, 'unclear', 'it is gone by now')
  const begun = pageOfMany('a1', [{ id: 'new', invoked_time: after, stopped_time: after }], 12)
  t.match((await look({ runs: [begun] })).found, { id: 'a1' }, 'but what it shows counts')
})
