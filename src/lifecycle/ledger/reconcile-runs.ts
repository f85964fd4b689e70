import { setTimeout as sleep } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import { isSameId, likelySpelling, placeOf } from '../../domain/id.ts'
import type { LivestreamWithKey, OwnedLivestream } from '../../domain/livestream.ts'
import type { Run } from '../../domain/runs/run.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { BroadcastRuns } from '../../store/tables/runs/broadcast-runs.ts'
import type { RunningLivestreams, Upstreams } from '../../upstream/provider.ts'
import type { KnownMeetings } from '../resources/known-meetings.ts'
import type { Whose } from '../resources/whose.ts'
import type { Ledger } from './ledger.ts'
import type { Sightings } from './sightings.ts'

export interface ReconcileRunsDeps {
  upstreams: Upstreams
  runs: Pick<BroadcastRuns, 'open'>
  ledger: Pick<Ledger, 'note'>
  sightings: Pick<Sightings, 'seen'>
  whose: Whose
  knownMeetings: Pick<KnownMeetings, 'has' | 'spelt'>
  /** Looks at a livestream by its id, and tells the ledger what it shows. */
  refresh(livestream: OwnedLivestream, signal: AbortSignal, isBackground: true): Promise<void>
  log: Record<'info' | 'warn', (facts: object, message: string) => void>
  clock: Clock
  /** Pause before the second look at a run that the first one did not show. */
  pause?(ms: number, signal: AbortSignal): Promise<unknown>
}

export interface ReconcileRuns {
  /**
   * Compares the ledger with all that the vendor lists as running. A list is a reason to look, and no proof: what it shows anew, or does not
   * show any more, is asked for by its id. @throws what a Provider and the store throw: then nothing was concluded
   */
  pass(upstream: string, signal: AbortSignal): Promise<void>
  /** Livestreams of nobody's that the last passes have shown. */
  unowned(): number
}

/** Two looks that show nothing of a run count when they are so far apart (`run-moves.ts`). */
const secondLookAfterMs = 600
const looksAtOnce = 4
const rememberedEntries = 20_000

export function reconcileRuns(deps: ReconcileRunsDeps): ReconcileRuns {
  const { upstreams, runs, ledger, sightings, whose, knownMeetings, refresh, log, clock, pause = usualPause } = deps
  /** As each livestream was listed when it was last looked at: a run that began anew shows in the time of its change. */
  const lookedAt = new LRUCache<string, string>(upTo(rememberedEntries))
  /** Livestreams of nobody's that the operator was told of, by upstream. */
  const told = new Map<string, Set<string>>()

  async function pass(upstream: string, signal: AbortSignal): Promise<void> {
    const provider = upstreams.get(upstream)?.on({ tenantId: 'operator', priority: 'read', isBackground: true })
    if (provider === undefined) return
    const askedAtMs = clock.monotonic()
    const listed = await provider.findRunning(signal)
    // Read behind the list: a run that is open now, and was not listed, has news of its own when it is younger.
    const open = await openAt(upstream)
    const isNew = await compare(upstream, listed, open, askedAtMs, signal)
    const missing = open.filter(run => !isListed(run, listed))
    await lookAt([...isNew, ...missing.map(run => ({ owner: ownedBy(run) }))], signal)
    const doubtful = await notShown(upstream, missing)
    if (doubtful.length === 0) return
    await pause(secondLookAfterMs, signal)
    await lookAt(
      doubtful.map(run => ({ owner: ownedBy(run) })),
      signal
    )
  }

  async function openAt(name: string): Promise<Run[]> {
    return (await runs.open()).filter(({ upstream, livestreamId }) => upstream === name && livestreamId !== null)
  }

  /** Those that the first look has not shown, and not ended either. */
  async function notShown(upstream: string, missing: readonly Run[]): Promise<Run[]> {
    if (missing.length === 0) return []
    const ids = new Set(missing.map(({ id }) => id))
    return (await openAt(upstream)).filter(({ id, quietLooks }) => ids.has(id) && quietLooks > 0)
  }

  /** Notes what is listed as it is known, and gives what is to be asked for by its id. */
  async function compare(
    upstream: string,
    { livestreams }: RunningLivestreams,
    open: readonly Run[],
    askedAtMs: number,
    signal: AbortSignal
  ): Promise<Wanted[]> {
    const wanted: Wanted[] = []
    const nobodys = new Set<string>()
    for (const shown of livestreams) {
      // Without a meeting INVOKED waits for an encoder: that is no broadcast yet.
      if (shown.meeting_id === null && shown.status !== 'LIVE') continue
      const livestream = await knownMeetings.spelt(shown)
      const run = open.find(({ livestreamId }) => livestreamId !== null && isSameId(livestreamId, shown.id))
      const owner = await ownerOf(upstream, livestream, signal).catch(err => untold(upstream, livestream, err))
      if (owner === undefined) continue
      if (owner === null) {
        nobodys.add(livestream.id)
        await leave(upstream, livestream, run)
        continue
      }
      const isKnown = run?.tenantId === owner.tenantId && run.meetingId === owner.meetingId
      const listedAs = `${livestream.status} ${livestream.updated_at}`
      if (isKnown && lookedAt.get(keyOf(owner)) === listedAs) await sightings.seen(owner, livestream, { askedAtMs })
      else wanted.push({ owner, listedAs })
    }
    told.set(upstream, nobodys)
    return wanted
  }

  /** The next pass comes. */
  function untold(upstream: string, { id }: LivestreamWithKey, err: unknown): undefined {
    log.info({ event: 'run_owner_unknown', err, upstream, livestream_id: id }, 'nobody could say whose a run is')
  }

  /** Null for a livestream that is no tenant's. */
  async function ownerOf(
    upstream: string,
    { id, meeting_id: meetingId = null }: LivestreamWithKey,
    signal: AbortSignal
  ): Promise<OwnedLivestream | null> {
    const subject = await whose({ upstream, livestreamId: id, meetingId }, signal)
    if (subject === null) return null
    if ('livestream' in subject) return subject.livestream
    const { id: ofMeeting, tenantId } = subject.meeting
    return { id, tenantId, upstream, meetingId: ofMeeting, status: '', isProved: false }
  }

  /** Nobody pays for it, as far as Livegate knows: the operator hears of it once. A tenant that had its meeting has its run no longer. */
  async function leave(upstream: string, { id, meeting_id }: LivestreamWithKey, run: Run | undefined): Promise<void> {
    if (!told.get(upstream)?.has(id)) {
      const facts = { upstream, livestream_id: id, meeting_id }
      log.warn(
        { event: 'run_unowned', ...facts },
        'a livestream goes on that is no tenant’s: assign its meeting, or stop it at the vendor'
      )
    }
    if (run === undefined) return
    const { tenantId, meetingId, livestreamId } = run
    const place = { tenantId, upstream, meetingId, livestreamId }
    await ledger.note({ kind: 'stopped', ...place, endedBy: 'operator', atMs: clock.now() })
  }

  /** A look that fails says nothing: the next pass comes. */
  async function lookAt(wanted: readonly Wanted[], signal: AbortSignal): Promise<void> {
    const left = [...wanted]
    const failures: unknown[] = []
    const work = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined && !signal.aborted; next = left.shift()) {
        const { owner, listedAs } = next
        await look(owner, signal).then(
          () => listedAs !== undefined && lookedAt.set(keyOf(owner), listedAs),
          error => failures.push(error)
        )
      }
    }
    await Promise.all(Array.from({ length: looksAtOnce }, work))
    if (failures.length > 0 && !signal.aborted)
      log.info({ event: 'runs_unseen', err: failures[0], runs: failures.length }, 'some runs could not be looked at')
  }

  async function look(owner: OwnedLivestream, signal: AbortSignal): Promise<void> {
    const { meetingId, tenantId, upstream } = owner
    const provider = upstreams.get(upstream)?.on({ tenantId, priority: 'read', isBackground: true })
    // Throws when it is known as another meeting's.
    if (meetingId !== null && provider !== undefined)
      await knownMeetings.has({ id: meetingId, tenantId, upstream }, owner.id, provider)
    await refresh(owner, signal, true)
  }

  return { pass, unowned: () => [...told.values()].reduce((sum, { size }) => sum + size, 0) }
}

/** A livestream to be asked for by its id. */
interface Wanted {
  owner: OwnedLivestream
  /** As the list shows it; missing for one that it does not show. */
  listedAs?: string
}

function usualPause(ms: number, signal: AbortSignal): Promise<void> {
  return sleep(ms, undefined, { signal, ref: false })
}

/** An entry that can't be read may be the run of its meeting. */
function isListed({ livestreamId, meetingId }: Run, { livestreams, unreadIn }: RunningLivestreams): boolean {
  if (meetingId !== null && [...unreadIn].some(id => isSameId(id, meetingId))) return true
  return livestreams.some(({ id }) => livestreamId !== null && isSameId(id, livestreamId))
}

function keyOf({ id, upstream }: OwnedLivestream): string {
  return placeOf({ id: likelySpelling(id), upstream })
}

/** The livestream of a run, for its tenant. */
export function ownedBy({ livestreamId, tenantId, upstream, meetingId, status }: Run): OwnedLivestream {
  return { id: livestreamId ?? '', tenantId, upstream, meetingId, status, isProved: false }
}
