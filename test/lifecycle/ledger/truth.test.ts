import t from 'tap'
import { runEventTypes } from '../../../src/domain/runs/run.ts'
import { isOpenRun } from '../../../src/domain/runs/run-moves.ts'
import { reconcileRuns } from '../../../src/lifecycle/ledger/reconcile-runs.ts'
import { lookOf, sightingsIn } from '../../../src/lifecycle/ledger/sightings.ts'
import type { LivestreamWithSessions, Provider, Upstreams } from '../../../src/upstream/provider.ts'
import { ledgerOf } from '../../support/ledger/ledger.ts'
import { place, refused, sent, started, stopped } from '../../support/ledger/news.ts'
import { VendorModel } from '../../support/ledger/vendor-model.ts'
import { countOf } from '../../support/runner/campaigns.ts'
import fc from '../../support/runner/properties.ts'

/** So often each thing happens: where nothing runs, nothing can go wrong. */
const often = {
  ...{ begin: 4, live: 4, again: 3, end: 2, break: 1 },
  ...{ start: 2, lost: 1, refused: 1, stop: 2 },
  ...{ look: 2, keep: 3, hear: 2, hearAgain: 2 },
  ...{ pass: 4, empty: 1, fail: 1, blind: 2, crash: 1, soon: 2, later: 2, muchLater: 1 }
}
const waits: Record<string, number> = { soon: 700, later: 5_000, muchLater: 40_000 }

/**
 * Things that happen. `again`: a run ends and another one begins at once. `keep`: an answer is under way, and heard later, or twice, as after a
 * webhook that is late or comes twice. `empty`, `fail`: a pass whose list is empty or fails. `blind`: two whose looks fail too. `crash`: another
 * process goes on.
 */
const step = fc.record({
  do: fc.oneof(...Object.entries(often).map(([what, weight]) => ({ arbitrary: fc.constant(what), weight }))),
  id: fc.oneof({ arbitrary: fc.constant('ls-1'), weight: 3 }, { arbitrary: fc.constant('ls-2'), weight: 1 })
})

interface Kept {
  id: string
  askedAtMs: number
  found: LivestreamWithSessions | null
}

/** The ledger of one history, and all that moves it. */
async function world(t: Parameters<typeof ledgerOf>[0]) {
  const made = await ledgerOf(t)
  const { clock, runs, newLedger } = made
  const vendor = new VendorModel(clock)
  const state = { ledger: made.ledger, kept: [] as Kept[], operations: 0, lists: 'true', looksFail: false }
  const provider = {
    async findRunning() {
      if (state.lists === 'fail') throw new Error('the vendor fails')
      return state.lists === 'empty' ? { livestreams: [], unreadIn: new Set() } : vendor.list()
    }
  } as unknown as Provider
  const upstreams = new Map([['default', { on: () => provider, vendorNowMs: () => null }]]) as unknown as Upstreams
  const sightings = sightingsIn({ ledger: { note: (...news) => state.ledger.note(...news) }, upstreams, clock })

  const look = (id: string): Kept => ({ id, askedAtMs: clock.monotonic(), found: vendor.show(id) })
  async function hear({ id, askedAtMs, found }: Kept): Promise<void> {
    const owner = { ...place, id }
    if (found === null) await sightings.gone(owner, askedAtMs)
    else await sightings.seen(owner, found.livestream, lookOf(found, askedAtMs))
  }
  /** As in a process of its own. */
  const newReconcile = () =>
    reconcileRuns({
      ...{ upstreams, runs, sightings, clock, log: { info() {}, warn() {} } },
      ledger: { note: (...news) => state.ledger.note(...news) },
      whose: async () => ({ meeting: { id: 'm1', tenantId: 'acme', upstream: 'default' } }),
      knownMeetings: { has: async () => true, spelt: async shown => shown },
      async refresh({ id }) {
        if (state.looksFail) throw new Error('the vendor fails')
        await hear(look(id))
      },
      pause: async ms => clock.advance(ms)
    })
  let reconcile = newReconcile()
  /** Another process goes on, and what was under way is lost. */
  async function crash(): Promise<void> {
    await state.ledger.close()
    Object.assign(state, { ledger: newLedger(), kept: [] })
    reconcile = newReconcile()
  }

  /** @param lists as the vendor answers them: as it is, `empty`, or not at all */
  async function pass(lists = 'true', looksFail = false): Promise<void> {
    Object.assign(state, { lists, looksFail })
    await reconcile.pass('default', new AbortController().signal).catch(() => {})
    Object.assign(state, { lists: 'true', looksFail: false })
  }

  /** A start of ours, as `start.ts` makes it: one at a time, and only where nothing runs. */
  async function start(id: string, how: string): Promise<void> {
    if (vendor.truth().length > 0) return
    const operationId = `op-${++state.operations}`
    const run = state.ledger.start(sent(clock.now(), operationId) as never)
    await made.store.engine.write(run.rows)
    run.sent()
    clock.advance(50)
    if (how === 'refused') return state.ledger.note(refused(clock.now(), operationId))
    vendor.begin(id)
    if (how === 'lost') clock.advance(2_000)
    const begun = await state.ledger.prepare(started(clock.now(), id, operationId))
    await made.store.engine.write(begun.statements)
    // A crash may come before the rest.
    if (how !== 'lost') await begun.committed()
  }

  async function stop(id: string): Promise<void> {
    if (!vendor.end(id, 'IDLE')) return
    const ended = await state.ledger.prepare(stopped(clock.now(), id))
    await made.store.engine.write(ended.statements)
    await ended.committed()
  }

  return { ...made, vendor, state, look, hear, pass, start, stop, crash }
}

t.test(
  'the ledger comes to what the vendor has, in whichever order it hears of that, and tells each move once',
  async t => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25, size: 'max' }), async history => {
        const ends: (() => unknown)[] = []
        const context = { ok: () => true, teardown: (end: () => unknown) => ends.push(end), testdir: () => t.testdir() }
        const { vendor, state, clock, rows, events, look, hear, pass, start, stop, crash } = await world(
          context as never
        )
        try {
          for (const one of history) {
            clock.advance(20)
            const { id } = one
            if (one.do === 'begin') vendor.begin(id)
            if (one.do === 'live') vendor.goLive(id)
            if (one.do === 'end' || one.do === 'break') vendor.end(id, one.do === 'end' ? 'IDLE' : 'ERRORED')
            if (one.do === 'look') await hear(look(id))
            if (one.do === 'keep') state.kept.push(look(id))
            if (one.do === 'hear' || one.do === 'hearAgain') {
              const kept = one.do === 'hear' ? state.kept.shift() : state.kept[0]
              // No answer takes longer than its deadline.
              if (kept !== undefined && clock.monotonic() - kept.askedAtMs < 10_000) await hear(kept)
            }
            if (one.do === 'start' || one.do === 'lost' || one.do === 'refused') await start(id, one.do)
            if (one.do === 'stop') await stop(id)
            if (one.do === 'pass') await pass()
            if (one.do === 'empty' || one.do === 'fail') await pass(one.do)
            if (one.do === 'blind') {
              await pass('empty', true)
              clock.advance(1_000)
              await pass('empty', true)
            }
            if (one.do === 'again' && vendor.end(id, 'IDLE')) {
              vendor.begin(id)
              vendor.goLive(id)
            }
            clock.advance(waits[one.do] ?? 0)
            if (one.do === 'crash') {
              await crash()
              await pass()
            }
          }
          // One interval later.
          clock.advance(30_000)
          await pass()
          const all = await rows()
          const sessions = all.flatMap(({ sessionId }) => sessionId ?? [])
          if (new Set(sessions).size < sessions.length)
            throw new Error(`a run that went on was ended: ${sessions.join()}`)
          const open = all.filter(isOpenRun)
          const known = open.map(({ livestreamId, sessionId, status }) => `${livestreamId} ${sessionId} ${status}`)
          if (known.sort().join() !== vendor.truth().sort().join())
            throw new Error(`the ledger has ${known.join()}, and the vendor ${vendor.truth().join()}`)
          const told = Map.groupBy(await events.after(0, { limit: 1_000 }), ({ runId }) => runId)
          for (const [, some] of told) {
            const types = some.map(({ type }) => runEventTypes.indexOf(type))
            if (types.some((type, i) => i > 0 && type <= (types[i - 1] ?? -1))) throw new Error(`told ${types.join()}`)
          }
        } finally {
          for (const end of ends.reverse()) await end()
        }
      }),
      { numRuns: countOf('histories') }
    )
    t.pass()
  }
)
