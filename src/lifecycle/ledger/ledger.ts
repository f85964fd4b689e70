import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { placeOf } from '../../domain/id.ts'
import { isRunning } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import type { Move, Run, RunEnder, RunNews, SentNews } from '../../domain/runs/run.ts'
import { isOpenRun, moveRun, moveRuns } from '../../domain/runs/run-moves.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import { type Clock, type Moment, momentOf, withMoment } from '../../domain/values/clock.ts'
import { Conflict, type Engine, UniqueViolation } from '../../store/engine/engine.ts'
import type { BroadcastRuns } from '../../store/tables/runs/broadcast-runs.ts'
import { MeetingQueue } from '../broadcast/meeting-queue.ts'
import { waitBriefly } from '../context.ts'
import type { RunHub } from './hub.ts'
import { LateNews } from './late-news.ts'
import type { Prepared, PreparedStart } from './prepared.ts'

export interface LedgerDeps {
  engine: Pick<Engine, 'write'>
  runs: Pick<BroadcastRuns, 'concerned' | 'moved'>
  hub: Pick<RunHub, 'listening' | 'committed'>
  /** Cause of an end that a look shows: that of a stop of ours that is open, or else `outside`. */
  enderOf(news: RunNews): Promise<RunEnder>
  /** Makes the ids of runs. */
  newId(): string
  log: { warn(facts: object, message: string): void }
  clock: Clock
  settleMs: number
  /** Pause before news that the store has refused is written again. */
  retryAfterMs?: number
}

/** Memory of the runs of one meeting, without the store. */
interface Known {
  /** News that has changed nothing, by its digest, and since when it is known. */
  still: Moment | null
  /** When something was last done, or came to its end: what was asked for before is late. On the monotonic clock. */
  sinceMs: number
  /** When the last look at each livestream was asked for: one that was asked for before it is late. */
  asked: Moment | null
}

/** The rows that some news may be about, and the moves that it makes. */
interface Found {
  runs: Run[]
  moves: Move[]
}

const tries = 5
const maxPlaces = 10_000
/** News that changes nothing is not looked up again for so long: another process may have written meanwhile. */
const stillForMs = 5_000
/** Livestreams and news of one place that are remembered. */
const mostKept = 100

/**
 * The ledger of broadcast runs (docs/ledger.md): takes news from all sources, moves the rows, and tells the hub after the commit. News
 * of one meeting goes one after the other. Rows are changed by compare-and-set, so that other processes may write as well.
 */
export class Ledger {
  readonly #deps: LedgerDeps
  /** Each place has its queue; another process is met by compare-and-set. */
  readonly #queues: MeetingQueue<never, never>
  readonly #known = new LRUCache<string, Known>(upTo(maxPlaces))
  readonly #late: LateNews

  constructor(deps: LedgerDeps) {
    this.#deps = deps
    this.#queues = new MeetingQueue(deps.clock)
    this.#late = new LateNews({
      write: news => this.#queues.inTurn(keyOf(news), () => this.#write(news, Number.POSITIVE_INFINITY, true)),
      placeOf: keyOf,
      retryAfterMs: deps.retryAfterMs
    })
  }

  /**
   * Takes note of news, and waits for it as long as a healthy disk takes. Never throws: a sighting that can't be written is repeated by the
   * next look, and all other news waits in memory until the store takes it.
   * @param askedAtMs when the vendor was asked, on the monotonic clock: a sighting from before our own last action is late
   */
  note(news: RunNews, askedAtMs = this.#deps.clock.monotonic()): Promise<void> {
    if (!isSighting(news)) this.#begin(news)
    else if (this.#isStill(news, askedAtMs)) return Promise.resolve()
    return waitBriefly(this.#noted(news, askedAtMs))
  }

  /** The row of a start that is about to go out. Nothing is read: the run is new. */
  start(news: SentNews): PreparedStart {
    const { runs, settleMs } = this.#deps
    const how = { newId: news.runId, settleMs, endedBy: 'outside' } as const
    const { run } = moveRun(null, news, how)
    const { run: unsent } = moveRun(run, { ...news, kind: 'refused' }, how)
    if (run === null || unsent === null) throw new TypeError('a start begins a run')
    return {
      rows: runs.moved({ before: null, after: run, events: [] }, true),
      unsent: runs.moved({ before: run, after: unsent, events: [] }, true),
      sent: () => {
        this.#begin(news)
        this.#tell([{ before: null, after: run, events: [] }])
      }
    }
  }

  /** Moves for the transaction of an outcome. Never throws, and waits no longer than a healthy disk takes. */
  async prepare(news: RunNews): Promise<Prepared> {
    let found: Found = { moves: [], runs: [] }
    const reading = this.#movesBy(news).then(read => {
      found = read
    })
    await waitBriefly(reading).catch(() => {})
    const { moves, runs } = found
    return {
      run: moves.at(-1)?.after ?? runs.find(run => isOfNews(run, news)) ?? null,
      statements: moves.flatMap(move => this.#deps.runs.moved(move, true)),
      committed: () => {
        this.#tell(moves)
        return this.note(news)
      }
    }
  }

  /** Tries a last time to write what is late, and no more by itself. */
  async close(): Promise<void> {
    await this.#queues.idle()
    await this.#late.close()
  }

  async #noted(news: RunNews, askedAtMs: number): Promise<void> {
    const isOwn = !isSighting(news)
    if (isOwn && this.#late.waiting.length > 0 && this.#late.isAhead(news)) return this.#late.add(news)
    try {
      await this.#queues.inTurn(keyOf(news), () => this.#write(news, askedAtMs))
    } catch (err) {
      const message = isOwn
        ? 'a move of a run could not be written: it is tried again'
        : 'what was seen of a run could not be kept'
      this.#deps.log.warn({ event: 'run_news_not_written', err, meeting_id: news.meetingId }, message)
      if (isOwn) this.#late.add(news)
    }
  }

  async #write(news: RunNews, askedAtMs: number, isLate = false): Promise<void> {
    const { engine, runs } = this.#deps
    for (let left = tries; ; left--) {
      // While it waited for its turn something else may have become known.
      if (isSighting(news) && this.#isStill(news, askedAtMs)) return
      const { moves, runs: before } = await this.#movesBy(news, isLate)
      if (moves.length === 0) {
        if (isSettled(before, news)) {
          const known = this.#knownOf(news)
          known.still = withMoment(known.still, digestOf(news), this.#deps.clock.monotonic(), mostKept)
        }
        return
      }
      try {
        await engine.write(moves.flatMap(move => runs.moved(move, false)))
      } catch (error) {
        const isMoved = error instanceof Conflict || error instanceof UniqueViolation
        if (isMoved && left > 1) continue
        throw error
      }
      if (moves.some(({ after }) => !isOpenRun(after))) this.#begin(news)
      else this.#knownOf(news).still = null
      this.#tell(moves)
      return
    }
  }

  /** @param isLate it was heard of long ago: runs that have begun since are not meant */
  async #movesBy(news: RunNews, isLate = false): Promise<Found> {
    const { runs, newId, settleMs, enderOf } = this.#deps
    const concerned = (await runs.concerned(news)).filter(run => !isLate || run.createdAtMs <= news.atMs)
    const how = { newId: newId(), settleMs, endedBy: 'outside' as const }
    const moves = moveRuns(concerned, news, how)
    const isEnd = moves.some(({ after }) => after.endedBy === 'outside')
    if (!isEnd) return { moves, runs: concerned }
    const endedBy = await enderOf(news)
    return { moves: endedBy === 'outside' ? moves : moveRuns(concerned, news, { ...how, endedBy }), runs: concerned }
  }

  #tell(moves: readonly Move[]): void {
    const { hub } = this.#deps
    if (hub.listening > 0 && moves.length > 0) hub.committed(moves.map(({ after: run, events }) => ({ run, events })))
  }

  /** Something was done: sightings that were asked for before are late. */
  #begin(news: RunNews): void {
    this.#known.set(keyOf(news), { still: null, asked: null, sinceMs: this.#deps.clock.monotonic() })
  }

  #knownOf(news: RunNews): Known {
    const known = this.#known.get(keyOf(news))
    if (known !== undefined) return known
    const fresh = { still: null, asked: null, sinceMs: Number.NEGATIVE_INFINITY }
    this.#known.set(keyOf(news), fresh)
    return fresh
  }

  /** Whether a sighting is late, or has changed nothing a moment ago. */
  #isStill(news: RunNews, askedAtMs: number): boolean {
    const known = this.#knownOf(news)
    if (askedAtMs < Math.max(known.sinceMs, momentOf(known.asked, livestreamOf(news)))) return true
    known.asked = withMoment(known.asked, livestreamOf(news), askedAtMs, mostKept)
    return this.#deps.clock.monotonic() - momentOf(known.still, digestOf(news)) < stillForMs
  }
}

function isSighting({ kind }: RunNews): boolean {
  return kind === 'seen' || kind === 'gone'
}

/** Whether the same sighting will change nothing later either. One that may be late, or that is only a first look, will. */
function isSettled(runs: readonly Run[], news: RunNews): boolean {
  if (news.kind === 'seen' && isRunning(news.status)) return runs.some(run => isOpenRun(run) && isOfNews(run, news))
  return isSighting(news) && !runs.some(isOpenRun)
}

function isOfNews({ livestreamId, operationId }: Run, news: RunNews): boolean {
  if ('operationId' in news) return operationId === news.operationId
  return 'livestreamId' in news && livestreamId === news.livestreamId
}

/** Where and when something was heard of the run that a start has begun. */
export function placeOfRun({ id: meetingId, tenantId, upstream }: OwnedMeeting, operationId: string, atMs: number) {
  return { tenantId, upstream, meetingId, operationId, atMs }
}

/** Place of what is heard: a meeting, or a livestream without one. */
function keyOf(news: RunNews): string {
  return placeOf({ id: news.meetingId ?? livestreamOf(news), upstream: news.upstream })
}

function livestreamOf(news: RunNews): string {
  return ('livestreamId' in news ? news.livestreamId : null) ?? ''
}

function digestOf({ atMs: _, ...news }: RunNews): string {
  return hash('sha1', JSON.stringify(news), 'base64url')
}
