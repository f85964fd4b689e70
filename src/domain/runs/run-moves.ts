import { isSameId } from '../id.ts'
import { isRunning } from '../livestream.ts'
import {
  causeOf,
  eventTypeOf,
  type Move,
  type MoveHow,
  noRunEnd,
  type Run,
  type RunEnder,
  type RunEvent,
  type RunNews,
  type SeenNews,
  type SeenSession,
  type StartedNews
} from './run.ts'

/** Two looks that show nothing end a run when they are so far apart. */
const looksApartMs = 500
const quietLooksWanted = 2
/** They end a run at once, whatever Livegate was about to end it for. */
const byHand = new Set<RunEnder>(['tenant', 'operator'])
/** The vendor's clock may be so far behind ours. */
const clocksApartMs = 10_000

/**
 * The moves that some news makes: it may end one run and begin another. Those that end come first.
 * @param runs all open ones of the place, the last one of the livestream, and that of the operation
 */
export function moveRuns(runs: readonly Run[], news: RunNews, how: MoveHow): Move[] {
  return concerned(runs, news, how).flatMap(({ run, news }) => {
    const { run: after, events } = moveRun(run, news, how)
    if (after === null || after === run) return []
    return [{ before: run?.id === after.id ? run : null, after, events }]
  })
}

/** A run that some news is about, with what it says of that. Null: a run that nobody knows yet. */
type Concerned = { run: Run | null; news: RunNews }

function concerned(runs: readonly Run[], news: RunNews, { endedBy }: MoveHow): Concerned[] {
  const operationId = 'operationId' in news ? news.operationId : null
  const livestreamId = 'livestreamId' in news ? news.livestreamId : null
  const own = runs.find(run => operationId !== null && run.operationId === operationId) ?? null
  const open = runs.filter(isOpenRun)
  const same = open.filter(run => isOf(run, livestreamId))
  const end = (run: Run, by: RunEnder): Concerned => ({
    run,
    news: { ...news, kind: 'stopped', livestreamId, endedBy: by }
  })

  if (news.kind === 'end') return runs.filter(({ id }) => id === news.runId).map(run => ({ run, news }))
  if (news.kind === 'sent' || news.kind === 'refused') return [{ run: own, news }]
  if (news.kind === 'started') {
    // Until now the row of this start stood for what a browser has begun meanwhile.
    const isAnothers = own !== null && isOpenRun(own) && own.livestreamId !== null && !isOf(own, livestreamId)
    const begun = isAnothers || own === null ? (same[0] ?? null) : own
    const others = same.filter(run => run !== begun).map(run => end(run, endedBy))
    const left: Concerned[] = isAnothers ? [{ run: own, news: { ...news, kind: 'refused' } }] : []
    return [...others, ...left, { run: begun, news }]
  }
  if (news.kind === 'seen') {
    const [run] = same
    const begins: Concerned = { run: null, news }
    // The operator has given its meeting to another tenant.
    if (run !== undefined && !isAt(run, news)) return [end(run, 'operator'), begins]
    if (run !== undefined) return isNewer(news, run) ? [end(run, endedBy), begins] : [{ run, news }]
    const starting = isRunning(news.status) ? open.find(run => mayHaveBegun(run, news)) : undefined
    const last = runs.findLast(run => isOf(run, livestreamId) && isAt(run, news))
    return [{ run: starting ?? last ?? null, news }]
  }
  return (livestreamId === null ? open : same).map(run => ({ run, news }))
}

/**
 * Moves a run by what a source says of it; null: no run is known yet. News that is late or repeated changes nothing: then the same
 * object comes back, and no event. No run goes back to an earlier state; one that is over stays so, and a new one comes back.
 */
export function moveRun(run: Run | null, news: RunNews, how: MoveHow): { run: Run | null; events: RunEvent[] } {
  const next = nextOf(run, news, how)
  if (next === run || next === null) return { run, events: [] }
  return { run: next, events: eventsOf(run?.id === next.id ? run : null, next, news) }
}

function nextOf(run: Run | null, news: RunNews, how: MoveHow): Run | null {
  if (news.kind === 'seen') return seen(run, news, how)
  if (news.kind === 'started') return started(run ?? begun(news, how.newId), news, how)
  if (news.kind === 'sent') {
    const { runId, operationId, maxDurationSeconds = null, deadlineAtMs = null, isManual = false } = news
    return run ?? { ...begun(news, runId), operationId, maxDurationSeconds, deadlineAtMs, isManual }
  }
  if (run === null || !isOpenRun(run)) return run
  if (news.kind === 'end') return moved(run, news.change)
  if (news.kind === 'refused') {
    const isNothing = run.status === 'starting'
    return moved(run, isNothing ? { status: 'errored', endedAtMs: news.atMs } : { operationId: null })
  }
  if (run.status === 'starting') return run
  return news.kind === 'gone' ? unseen(run, news.atMs, how) : ended(run, news.endedBy, news.atMs)
}

function started(run: Run, { livestreamId, operationId, playbackUrl, status, atMs }: StartedNews, how: MoveHow): Run {
  if (!isOpenRun(run)) return run
  const known = { operationId, playbackUrl: playbackUrl ?? run.playbackUrl }
  if (run.status !== 'starting') return moved(run, known)
  const invoked = moved(run, { ...known, status: 'invoked', livestreamId, invokedAtMs: run.createdAtMs })
  // A start whose answer was lost may have begun what is over by now.
  return isRunning(status) ? shown(invoked, status, null, atMs) : ended(invoked, how.endedBy, atMs, status)
}

function seen(run: Run | null, news: SeenNews, how: MoveHow): Run | null {
  const { livestreamId, status, session, playbackUrl, atMs } = news
  if (run === null || !isOpenRun(run)) return isBegin(run, news, how) ? found(run, news, how) : run
  if (!isRunning(status)) return run.status === 'starting' ? run : over(run, news, how)
  const invokedAtMs = run.invokedAtMs ?? run.createdAtMs
  const begin = run.status === 'starting' ? { ...run, status: 'invoked' as const, livestreamId, invokedAtMs } : run
  const next = shown(begin, status, session, atMs)
  const known = { playbackUrl: playbackUrl ?? next.playbackUrl, isManual: run.isManual || news.isManual === true }
  return moved(run, { ...next, ...known, quietLooks: 0, quietAtMs: null })
}

/** Whether what is shown is a run that is not known yet. @param run the one before, which is over */
function isBegin(run: Run | null, { status, meetingId, session, atMs }: SeenNews, { settleMs }: MoveHow): boolean {
  // Without a meeting INVOKED waits for an encoder: that is no broadcast yet.
  if (!isRunning(status) || (meetingId === null && status !== 'LIVE')) return false
  if (run === null) return true
  if (session !== null && session.stoppedAtMs !== null) return false
  const endedAtMs = run.endedAtMs ?? 0
  if (session !== null && session.id !== run.sessionId) {
    if (run.sessionId !== null) return !isOlder(session, run)
    if (session.invokedAtMs !== null && session.invokedAtMs > endedAtMs) return true
  }
  // Within the time to settle the vendor may still show the one that has ended.
  return atMs < endedAtMs || atMs - endedAtMs >= settleMs
}

function found(run: Run | null, news: SeenNews, { newId }: MoveHow): Run {
  const { livestreamId, status, session, playbackUrl, atMs } = news
  // A run that goes on after its end was told counts from when it was seen again.
  const isAgain = run !== null && (session === null || session.id === run.sessionId)
  const invokedAtMs = isAgain ? atMs : Math.min(session?.invokedAtMs ?? atMs, atMs)
  const sessionId = isAgain ? (session?.id ?? null) : null
  const blank = begun(news, newId)
  const isManual = blank.isManual || news.isManual === true
  const begin = { ...blank, livestreamId, sessionId, isManual, status: 'invoked' as const, invokedAtMs, playbackUrl }
  return shown(begin, status, session, atMs)
}

/** The livestream says by itself that it does not run. */
function over(run: Run, { status, session, atMs }: SeenNews, how: MoveHow): Run {
  const stoppedAtMs = session?.stoppedAtMs ?? null
  if (session === null || stoppedAtMs === null || !isItsOwn(session, run))
    return run.status === 'live' ? ended(run, how.endedBy, run.quietAtMs ?? atMs, status) : unseen(run, atMs, how)
  const own = withSession(run, session)
  const endedAtMs = Math.min(Math.max(stoppedAtMs, own.liveAtMs ?? own.invokedAtMs ?? 0), atMs)
  return ended(own, how.endedBy, endedAtMs, status)
}

/** A look that shows nothing of a run. One is no proof, and none while the vendor may not show yet what we have begun. */
function unseen(run: Run, atMs: number, { settleMs, endedBy }: MoveHow): Run {
  const ageMs = atMs - (run.invokedAtMs ?? run.createdAtMs)
  if (run.status === 'invoked' && run.operationId !== null && ageMs >= 0 && ageMs < settleMs) return run
  const quietMs = atMs - (run.quietAtMs ?? Number.NEGATIVE_INFINITY)
  if (quietMs >= 0 && quietMs < looksApartMs) return run
  const quietLooks = run.quietLooks + 1
  const quietAtMs = run.quietAtMs ?? atMs
  return quietLooks < quietLooksWanted ? moved(run, { quietLooks, quietAtMs }) : ended(run, endedBy, quietAtMs)
}

/** The run as it is shown: on air, or not yet. */
function shown(run: Run, status: string, session: SeenSession | null, atMs: number): Run {
  const own = session !== null && isItsOwn(session, run) ? withSession(run, session) : run
  if (status !== 'LIVE' || own.status === 'live') return own
  const startedAtMs = (session?.id === own.sessionId ? session?.startedAtMs : null) ?? atMs
  return { ...own, status: 'live', liveAtMs: Math.min(Math.max(startedAtMs, own.invokedAtMs ?? 0), atMs) }
}

/** A run that was begun outside of Livegate had begun before it was first seen. */
function withSession(run: Run, { id: sessionId, invokedAtMs }: SeenSession): Run {
  const isDated = run.sessionId === null && run.operationId === null && invokedAtMs !== null
  const begun = isDated ? { invokedAtMs: Math.min(invokedAtMs, run.invokedAtMs ?? invokedAtMs) } : {}
  return { ...run, sessionId, ...begun }
}

function ended(run: Run, endedBy: RunEnder, endedAtMs: number, vendorStatus = ''): Run {
  return vendorStatus === 'ERRORED'
    ? moved(run, { status: 'errored', endedAtMs, endedBy: 'vendor_error' })
    : moved(run, { status: 'ended', endedAtMs, endedBy: byHand.has(endedBy) ? endedBy : (causeOf(run) ?? endedBy) })
}

function begun({ tenantId, upstream, meetingId, atMs: createdAtMs }: RunNews, id: string): Run {
  const ids = { id, tenantId, upstream, meetingId, livestreamId: null, sessionId: null, operationId: null }
  const times = { invokedAtMs: null, liveAtMs: null, endedAtMs: null, quietAtMs: null, createdAtMs }
  const facts = { endedBy: null, playbackUrl: null, isManual: meetingId === null, quietLooks: 0, revision: 1 }
  return { ...ids, ...times, ...noRunEnd, ...facts, status: 'starting' }
}

/** The run with these changes, and its next revision; the same object when there are none. */
function moved(run: Run, { revision: _, ...changes }: Partial<Run>): Run {
  const isChanged = Object.entries(changes).some(([name, value]) => run[name as keyof Run] !== value)
  return isChanged ? { ...run, ...changes, revision: run.revision + 1 } : run
}

/** A state that nobody saw is passed over. A start that came to nothing was never told of. */
function eventsOf(before: Run | null, after: Run, news: RunNews): RunEvent[] {
  if (after.livestreamId === null || after.status === 'starting') return []
  const isWarned = news.kind === 'end' && after.warnedForMs !== null && before?.warnedForMs !== after.warnedForMs
  if (before?.status === after.status && !isWarned) return []
  const type = isWarned ? 'livestream.ending_soon' : eventTypeOf[after.status]
  const reason = isWarned ? (news.reason ?? null) : after.endedBy
  const { id: runId, tenantId, upstream, meetingId, livestreamId, status, playbackUrl } = after
  return [{ runId, tenantId, upstream, meetingId, livestreamId, type, status, playbackUrl, reason, atMs: news.atMs }]
}

function isOf(run: Run, livestreamId: string | null): boolean {
  return livestreamId !== null && run.livestreamId !== null && isSameId(run.livestreamId, livestreamId)
}

export function isOpenRun({ status }: Pick<Run, 'status'>): boolean {
  return status !== 'ended' && status !== 'errored'
}

function isAt(run: Run, { tenantId, upstream, meetingId }: RunNews): boolean {
  return run.tenantId === tenantId && run.upstream === upstream && run.meetingId === meetingId
}

/** Whether a session began before this run, as far as both are dated. */
function isOlder({ invokedAtMs }: SeenSession, run: Run): boolean {
  return invokedAtMs !== null && invokedAtMs + clocksApartMs < (run.invokedAtMs ?? run.createdAtMs)
}

/** Whether a session can be this run. One that was begun outside is older than its first sight, but it was not over by then. */
function isItsOwn(session: SeenSession, run: Run): boolean {
  if (run.sessionId !== null) return run.sessionId === session.id
  if (run.operationId !== null) return !isOlder(session, run)
  return session.stoppedAtMs === null || session.stoppedAtMs + clocksApartMs >= (run.invokedAtMs ?? 0)
}

/** The vendor shows another session of the livestream than that of this run, which is over then. */
function isNewer({ status, session }: SeenNews, run: Run): boolean {
  if (!isRunning(status) || session === null || session.stoppedAtMs !== null) return false
  return run.sessionId !== null && session.id !== run.sessionId && !isOlder(session, run)
}

/** Nothing was live when our start went out: what runs since then came from it, unless its session is older. */
function mayHaveBegun(run: Run, news: SeenNews): boolean {
  return run.status === 'starting' && isAt(run, news) && (news.session === null || !isOlder(news.session, run))
}
