import { randomUUID } from 'node:crypto'
import { Refusal } from './answers.ts'
import { type Livestream, newLivestream, type Run, runningRun, type Status, statusOf } from './livestream.ts'
import { createMeeting, type Meeting, type MeetingFields, uuid } from './meeting.ts'
import { credentialOf, type Settings } from './options.ts'
import { assertFields } from './rules.ts'
import { type MeetingSession, openSession, settleSession } from './stage.ts'

/** Everything that the vendor would know of one organization. Time enters only through `settings.now`. */
export class World {
  readonly settings: Settings
  readonly meetings = new Map<string, Meeting>()
  readonly livestreams = new Map<string, Livestream>()
  readonly runs = new Map<string, Run>()
  readonly sessions = new Map<string, MeetingSession>()
  /** The API keys (Dyte) or tokens (RealtimeKit) that let a caller in. */
  accepted: ReadonlySet<string>

  constructor(settings: Settings) {
    this.settings = settings
    this.accepted = new Set([settings.vendor === 'dyte' ? settings.key : settings.token])
  }

  /** From now on these and no others, as when an operator rotates them. @throws TypeError or RangeError */
  accept(credentials: string[]): void {
    const rules = { credential: credentialOf[this.settings.vendor] }
    for (const credential of credentials) assertFields('accept', rules, { credential })
    this.accepted = new Set(credentials)
  }

  now(): number {
    return this.settings.now()
  }

  status(livestream: Livestream): Status {
    return statusOf(livestream, this.now(), this.settings.contract)
  }

  addMeeting(fields: MeetingFields, id?: string): Meeting {
    if (id !== undefined && this.meetings.has(id)) throw new RangeError(`meeting: "id" ${id} is taken`)
    const meeting = createMeeting(fields, this.now(), id)
    this.meetings.set(meeting.id, meeting)
    return meeting
  }

  /** @throws Refusal 400 for an id that is no UUID (contract section 6), 404 for an unknown one. */
  meeting(id: string): Meeting {
    if (!uuid.test(id)) throw new Refusal(400, 'BAD_REQUEST: "id" must be a valid GUID')
    return known(this.meetings.get(id), 'meeting', id)
  }

  /** @throws Refusal 404. */
  livestream(id: string): Livestream {
    return known(this.livestreams.get(id), 'livestream', id)
  }

  /** The livestream of the meeting that was started last and has not ended. */
  running(meeting: Meeting): Livestream | undefined {
    return meeting.livestreams.findLast(runningRun)
  }

  addLivestream(meetingId: string | null, name: string | null, id?: string): Livestream {
    if (id !== undefined && this.livestreams.has(id)) throw new RangeError(`livestream: "id" ${id} is taken`)
    const livestream = newLivestream(meetingId, name, this.now(), id)
    this.livestreams.set(livestream.id, livestream)
    return livestream
  }

  /**
   * Begins a run of the meeting, whoever asked for it, in a livestream that is not running: its last one, or a new one.
   * @throws Refusal 403 when that livestream is disabled.
   */
  begin(meeting: Meeting, name?: string | null): Livestream {
    const reusable = this.settings.livestreamId === 'reused'
    const idle = reusable ? meeting.livestreams.findLast(one => !runningRun(one)) : undefined
    if (idle?.disabled) throw new Refusal(403, `Livestream ${idle.id} is disabled`)
    const livestream = idle ?? this.addLivestream(meeting.id, null)
    if (name !== undefined) livestream.name = name
    meeting.livestreams = [...meeting.livestreams.filter(one => one !== livestream), livestream]
    this.#run(livestream, this.openSession(meeting), this.settings.liveAfterMs)
    return livestream
  }

  /** An encoder connects to an independent livestream, which is live from then on. */
  ingest(livestream: Livestream): void {
    if (livestream.meetingId !== null) throw new Error(`livestream ${livestream.id} takes its video from a meeting`)
    if (runningRun(livestream)) throw new Error(`livestream ${livestream.id} is running already`)
    this.#run(livestream, null, 0)
  }

  /** Ends the run that is going on, stopped by a caller or by itself. */
  end(livestream: Livestream, ending: 'IDLE' | 'ERRORED'): void {
    const run = runningRun(livestream)
    if (!run) throw new Error(`livestream ${livestream.id} is not running`)
    const at = this.now()
    Object.assign(run, { stoppedAt: at, ending })
    if (livestream.meetingId !== null) settleSession(this.meeting(livestream.meetingId), at)
  }

  openSession(meeting: Meeting): MeetingSession {
    const session = openSession(meeting, this.now())
    this.sessions.set(session.id, session)
    return session
  }

  #run(livestream: Livestream, session: MeetingSession | null, liveAfterMs: number): void {
    const invokedAt = this.now()
    const run: Run = {
      id: randomUUID(),
      livestreamId: livestream.id,
      sessionId: session?.id ?? null,
      invokedAt,
      liveAt: invokedAt + liveAfterMs,
      stoppedAt: null,
      ending: null
    }
    livestream.runs.push(run)
    this.runs.set(run.id, run)
  }
}

/** @throws Refusal 404 naming what is missing. */
export function known<T>(found: T | undefined, what: string, id: string): T {
  if (found === undefined) throw new Refusal(404, `No ${what} found with id ${id}`)
  return found
}
