import { randomUUID } from 'node:crypto'
import { failure, Invalid, Refusal, type SimulatedAnswer } from '../answers.ts'
import { vendors } from '../dialects/vendors.ts'
import type { Settings } from '../options.ts'
import { assertFields, firstProblem, type Rule, type Rules, uuid } from '../rules.ts'
import { type Livestream, newLivestream, type Run, runningRun, type Status, statusOf } from './livestream.ts'
import { createMeeting, type Meeting, type MeetingFields } from './meeting.ts'
import type { MeetingSession } from './meeting-session.ts'
import { Participants } from './participants.ts'
import { endIfEmpty, openSession } from './stage.ts'

/** Everything that the vendor would know of one organization. Time enters only through `settings.now`. */
export class VendorState {
  readonly settings: Settings
  readonly meetings = new Map<string, Meeting>()
  readonly livestreams = new Map<string, Livestream>()
  readonly runs = new Map<string, Run>()
  readonly participants: Participants
  readonly #sessions = new Map<string, MeetingSession>()
  /** The API keys (Dyte) or tokens (RealtimeKit) that let a caller in. */
  accepted: ReadonlySet<string>

  constructor(settings: Settings) {
    this.settings = settings
    this.participants = new Participants(this.now())
    this.accepted = new Set([settings[vendors[settings.vendor].credential]])
  }

  /** Lets callers in with these and no others, as when an operator rotates them. @throws TypeError or RangeError */
  accept(credentials: string[]): void {
    const { options, credential: name } = vendors[this.settings.vendor]
    const rules: Rules = { credential: options[name] as Rule }
    for (const credential of credentials) assertFields('accept', rules, { credential })
    this.accepted = new Set(credentials)
  }

  /** The vendor's clock: it need not be that of the machine. */
  now(): number {
    return this.settings.now() + this.settings.clockOffsetMs
  }

  get sessions(): ReadonlyMap<string, MeetingSession> {
    for (const meeting of this.meetings.values()) this.#endIfEmpty(meeting)
    return this.#sessions
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

  /**
   * Checks the fields of a body. Those without a rule are refused by a vendor that is strict, unless they are `accepted`, and
   * ignored by the other. @throws Invalid
   */
  checkBody(rules: Rules, body: Record<string, unknown>, accepted: readonly string[] = []): void {
    const problem = firstProblem(rules, body)
    if (problem) throw new Invalid('body', problem.message)
    if (this.settings.validation === '400') return
    const unknown = Object.keys(body).find(name => !Object.hasOwn(rules, name) && !accepted.includes(name))
    if (unknown !== undefined) throw new Invalid('body', `"${unknown}" is not allowed`)
  }

  /** Says it as RealtimeKit was met to, or as Dyte's webhooks do (contract#validation). */
  invalid({ part, message }: Invalid): SimulatedAnswer {
    if (this.settings.validation === '400') return failure(400, `BAD_REQUEST: ${message}`)
    return { status: 422, body: { success: false, message: `[${part}] ${message}` } }
  }

  /** Finds what has this id. Whether any but a meeting's must be a UUID is not known: a strict vendor wants it. @throws Invalid, Refusal 404 */
  find<T>(among: ReadonlyMap<string, T>, what: string, id: string): T {
    const isLoose = this.settings.validation === '400' && what !== 'meeting'
    if (!isLoose && !uuid.test(id)) throw new Invalid('params', '"id" must be a valid GUID')
    const found = among.get(id)
    if (found === undefined) throw new Refusal(404, `No ${what} found with id ${id}`)
    return found
  }

  /** @throws Invalid, Refusal 404 */
  meeting(id: string): Meeting {
    const meeting = this.find(this.meetings, 'meeting', id)
    this.#endIfEmpty(meeting)
    return meeting
  }

  /** @throws Invalid, Refusal 404 */
  livestream(id: string): Livestream {
    return this.find(this.livestreams, 'livestream', id)
  }

  /** The livestream of the meeting that was started last and has not ended. */
  running(meeting: Meeting): Livestream | undefined {
    const at = this.now()
    return meeting.livestreams.findLast(one => runningRun(one, at))
  }

  /** The livestream that a stop would end: of those that run, the last one that nobody has stopped yet. */
  stoppable(meeting: Meeting): Livestream | undefined {
    return meeting.livestreams.findLast(one => one.runs.at(-1)?.stoppedAt === null)
  }

  /** Whether a start comes too early after the last stop. */
  isStillStopping({ stoppedAt }: Meeting): boolean {
    return stoppedAt !== null && this.now() < stoppedAt + this.settings.restartAfterMs
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
  begin(meeting: Meeting, name?: string | null, manualIngest = false): Livestream {
    const reusable = this.settings.livestreamId === 'reused'
    const at = this.now()
    const idle = reusable ? meeting.livestreams.findLast(one => !runningRun(one, at)) : undefined
    if (idle?.disabled) throw new Refusal(403, `Livestream ${idle.id} is disabled`)
    const livestream = idle ?? this.addLivestream(meeting.id, null)
    if (name !== undefined) livestream.name = name
    livestream.manualIngest = manualIngest
    meeting.livestreams = [...meeting.livestreams.filter(one => one !== livestream), livestream]
    this.#run(livestream, this.openSession(meeting), this.settings.liveAfterMs)
    return livestream
  }

  /** An encoder connects to an independent livestream, which is live from then on. */
  ingest(livestream: Livestream): void {
    if (livestream.meetingId !== null) throw new Error(`livestream ${livestream.id} takes its video from a meeting`)
    if (runningRun(livestream, this.now())) throw new Error(`livestream ${livestream.id} is running already`)
    this.#run(livestream, null, 0)
  }

  /** A stop is confirmed: the run goes on as long as the switch says, and then ends. */
  stop(meeting: Meeting, livestream: Livestream): void {
    this.#end(livestream, this.now() + this.settings.stoppingForMs, 'IDLE')
    meeting.stoppedAt = this.now()
  }

  /** Ends the run that is going on by itself, now. */
  end(livestream: Livestream, ending: 'IDLE' | 'ERRORED'): void {
    this.#end(livestream, this.now(), ending)
  }

  #end(livestream: Livestream, stoppedAt: number, ending: 'IDLE' | 'ERRORED'): void {
    const run = runningRun(livestream, this.now())
    if (!run) throw new Error(`livestream ${livestream.id} is not running`)
    Object.assign(run, { stoppedAt, ending })
    if (livestream.meetingId !== null) this.meeting(livestream.meetingId)
  }

  openSession(meeting: Meeting): MeetingSession {
    this.#endIfEmpty(meeting)
    const session = openSession(meeting, this.now())
    this.#sessions.set(session.id, session)
    return session
  }

  /** Time may have ended the last run, and with it the session. */
  #endIfEmpty(meeting: Meeting): void {
    const ends = meeting.livestreams.map(({ runs }) => runs.at(-1)?.stoppedAt ?? 0)
    if (ends.length > 0) endIfEmpty(meeting, this.now(), Math.max(...ends))
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
