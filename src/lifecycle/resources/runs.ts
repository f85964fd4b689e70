import { isSameId, placeOf } from '../../domain/id.ts'
import { isRunning, type LivestreamSession, names, type OwnedLivestream, runOf } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import {
  LivestreamNotFound,
  LivestreamSessionNotFound,
  NoActiveSession,
  SessionNotFound,
  UpstreamMalformed
} from '../../domain/refusals/failures.ts'
import type { Page } from '../../domain/values/paging.ts'
import type { Directory } from '../../store/memory/directory.ts'
import type { Livestreams } from '../../store/tables/livestreams.ts'
import type { ActiveRun, LivestreamWithSessions, PageOfRuns, Provider, Upstreams } from '../../upstream/provider.ts'
import { type Context, providerOf } from '../context.ts'
import { lookOf } from '../ledger/sightings.ts'
import { type Seen, SharedReads, subjectOf } from '../reads/shared-reads.ts'
import type { EndingRuns } from '../running/ending-runs.ts'
import { isProvedBy, type KnownMeetings } from './known-meetings.ts'
import { type RememberLivestream, type RememberRuns, withoutEnding } from './remember.ts'

export interface RunsDeps extends Pick<Context, 'clock' | 'bounded' | 'changes' | 'readTtlMs'> {
  upstreams: Upstreams
  livestreams: Pick<Livestreams, 'lastOfMeeting'>
  directory: Pick<Directory, 'livestream'>
  rememberLivestream: RememberLivestream
  rememberRuns: RememberRuns
  endingRuns: Pick<EndingRuns, 'showEnding'>
  knownMeetings: Pick<KnownMeetings, 'has' | 'isOfEarlierHolder' | 'ofOwner' | 'spelt'>
}

/** Runs of livestreams, which the vendor calls livestream sessions, as it shows them now. Those that are shown are known from then on. */
export interface TenantRuns {
  /** The run that goes on, with its livestream. @throws NoActiveSession, NotOffered */
  findActive(livestream: OwnedLivestream, signal: AbortSignal): Promise<Seen<ActiveRun>>
  /** @throws LivestreamSessionNotFound */
  find(livestream: OwnedLivestream, id: string, signal: AbortSignal): Promise<Seen<LivestreamSession>>
  /** The meeting's last livestream with a page of its runs. @throws LivestreamNotFound when it has none */
  ofMeeting(meeting: OwnedMeeting, page: Page, signal: AbortSignal): Promise<Seen<LivestreamWithSessions>>
  /** Those in one session of the meeting. @throws SessionNotFound */
  ofSession(meeting: OwnedMeeting, sessionId: string, page: Page, signal: AbortSignal): Promise<Seen<PageOfRuns>>
  /** Makes a livestream of the meeting known that was told of, unless an earlier holder had it. @throws UpstreamMalformed when it is another's */
  makeKnown(meeting: OwnedMeeting, livestreamId: string, signal: AbortSignal): Promise<void>
}

export function tenantRuns(deps: RunsDeps): TenantRuns {
  const { upstreams, livestreams, directory, rememberLivestream, rememberRuns, endingRuns, knownMeetings } = deps
  const { clock } = deps
  const active = new SharedReads<ActiveRun | null>(deps)
  const single = new SharedReads<LivestreamSession | null>(deps)
  const ofMeetings = new SharedReads<LivestreamWithSessions | null>(deps)
  const ofSessions = new SharedReads<PageOfRuns | null>(deps)

  async function lookForActive(owner: OwnedLivestream, signal: AbortSignal): Promise<ActiveRun | null> {
    const provider = providerOf(upstreams, owner, 'read')
    const askedAtMs = clock.monotonic()
    const found = await provider.findActiveRun(owner.id, signal)
    if (found === null) return null
    const livestream = await knownMeetings.ofOwner(owner, found.livestream, provider)
    const { meetingId, upstream } = owner
    if (meetingId !== null && endingRuns.showEnding({ id: meetingId, upstream }, [found.session], true)) return null
    const look = { askedAtMs, sessions: [found.session], areNewest: true }
    await rememberLivestream({ ...owner, isProved: isProvedBy(owner, found.livestream) }, livestream, look)
    await rememberRuns(owner, [found.session])
    return { ...found, livestream }
  }

  async function lookFor(owner: OwnedLivestream, id: string, signal: AbortSignal): Promise<LivestreamSession | null> {
    const run = await providerOf(upstreams, owner, 'read').findRun(id, signal)
    if (!isSameId(run?.livestream_id ?? owner.id, owner.id)) throw anothers()
    if (run !== null) await rememberRuns(owner, [run])
    return run && runOf(owner.id, run)
  }

  async function lookAtMeeting(meeting: OwnedMeeting, page: Page, signal: AbortSignal) {
    const provider = providerOf(upstreams, meeting, 'read')
    const { tenantId, upstream, id: meetingId } = meeting
    const askedAtMs = clock.monotonic()
    const answered =
      (await provider.findOfMeeting(meetingId, page, signal)) ?? (await lastSeen(provider, meeting, page, signal))
    if (answered === null) return null
    const spelt = await knownMeetings.spelt(answered.livestream)
    const sessions = answered.sessions.map(run => runOf(spelt.id, run))
    const found = { ...answered, livestream: spelt, sessions }
    // Throws when it is known as another meeting's.
    await knownMeetings.has(meeting, found.livestream.id, provider)
    const { id, status } = found.livestream
    if (!isRunning(status) && (await knownMeetings.isOfEarlierHolder(meeting, id))) return null
    const owner = { id, tenantId, upstream, meetingId }
    const livestream = { ...withoutEnding(endingRuns, owner, found, page.pageNo), meeting_id: meetingId }
    const look = lookOf(found, askedAtMs, page.pageNo)
    await rememberLivestream({ ...owner, isProved: isProvedBy(owner, found.livestream) }, livestream, look)
    await rememberRuns(owner, found.sessions)
    return { ...found, livestream }
  }

  /** Built from what there is where the vendor has no such list. */
  async function lastSeen(provider: Provider, meeting: OwnedMeeting, page: Page, signal: AbortSignal) {
    const last = await livestreams.lastOfMeeting(meeting).catch(() => null)
    const found = last && (await provider.findLivestream(last.id, page, signal))
    const owner = last && { ...meeting, id: last.id, meetingId: meeting.id }
    return owner && found && { ...found, livestream: await knownMeetings.ofOwner(owner, found.livestream, provider) }
  }

  async function lookAtSession(meeting: OwnedMeeting, sessionId: string, page: Page, signal: AbortSignal) {
    const provider = providerOf(upstreams, meeting, 'read')
    const found = await provider.findRunsOfSession(sessionId, page, signal)
    if (found === null) return null
    const ids = new Map<string | undefined, string>()
    for (const [id, runs] of Map.groupBy(found.sessions, run => run.livestream_id)) {
      if (id === undefined) throw anothers()
      const ours = await expectOurs(provider, meeting, id, signal)
      ids.set(id, ours)
      await rememberRuns({ ...meeting, id: ours, meetingId: meeting.id }, runs)
    }
    return { ...found, sessions: found.sessions.map(run => runOf(ids.get(run.livestream_id) ?? '', run)) }
  }

  /** A browser may have begun a livestream that Livegate has not seen: then the vendor says whose it is. Gives its id as it is stored. @throws UpstreamMalformed */
  async function expectOurs(
    provider: Provider,
    meeting: OwnedMeeting,
    id: string,
    signal: AbortSignal
  ): Promise<string> {
    const known = await directory.livestream(meeting.tenantId, id)
    if (known?.meetingId === meeting.id) return known.id
    const askedAtMs = clock.monotonic()
    const found = await provider.findLivestream(id, { pageNo: 1, perPage: 1 }, signal)
    if (found === null || !names(found.livestream, meeting.id)) throw anothers()
    // Throws when it is known as another meeting's.
    await knownMeetings.has(meeting, id, provider)
    const livestream = withoutEnding(endingRuns, { meetingId: meeting.id, upstream: meeting.upstream }, found)
    const owner = { ...meeting, id, meetingId: meeting.id, isProved: true }
    await rememberLivestream(owner, livestream, lookOf(found, askedAtMs))
    return id
  }

  return {
    async makeKnown(meeting, livestreamId, signal) {
      if (await knownMeetings.isOfEarlierHolder(meeting, livestreamId)) return
      await expectOurs(providerOf(upstreams, meeting, 'read'), meeting, livestreamId, signal)
    },

    async findActive(owner, signal) {
      const ask = (signal: AbortSignal) => lookForActive(owner, signal)
      const key = `${owner.tenantId}/${owner.id}`
      return orThrow(await active.read({ key, subject: subjectOf(owner), ask, signal: () => signal }), NoActiveSession)
    },

    async find(owner, id, signal) {
      const ask = (signal: AbortSignal) => lookFor(owner, id, signal)
      const key = `${owner.tenantId}/${id}`
      return orThrow(
        await single.read({ key, subject: subjectOf(owner), ask, signal: () => signal }),
        LivestreamSessionNotFound
      )
    },

    async ofMeeting(meeting, page, signal) {
      const ask = (signal: AbortSignal) => lookAtMeeting(meeting, page, signal)
      const key = keyOf(meeting, placeOf(meeting), page)
      return orThrow(
        await ofMeetings.read({ key, subject: placeOf(meeting), ask, signal: () => signal }),
        LivestreamNotFound
      )
    },

    async ofSession(meeting, sessionId, page, signal) {
      const ask = (signal: AbortSignal) => lookAtSession(meeting, sessionId, page, signal)
      const key = keyOf(meeting, sessionId, page)
      return orThrow(
        await ofSessions.read({ key, subject: placeOf(meeting), ask, signal: () => signal }),
        SessionNotFound
      )
    }
  }
}

/** No tenant id has a slash, and no id of the vendor a question mark. */
function keyOf({ tenantId }: OwnedMeeting, id: string, { pageNo, perPage }: Page): string {
  return `${tenantId}/${id}?${pageNo}&${perPage}`
}

function orThrow<T>({ value, ...seen }: Seen<T | null>, NotFound: new () => Error): Seen<T> {
  if (value === null) throw new NotFound()
  return { ...seen, value }
}

function anothers(): Error {
  return new UpstreamMalformed({ cause: new Error('the vendor answered with a run of another livestream') })
}
