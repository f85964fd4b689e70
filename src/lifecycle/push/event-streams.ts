import { type Caller, keyRefusal } from '../../domain/caller.ts'
import { likelySpelling } from '../../domain/id.ts'
import {
  type Failure,
  MeetingNotFound,
  ScopeMissing,
  ShuttingDown,
  StoreUnavailable,
  TenantSuspended,
  Unauthorized
} from '../../domain/refusals/failures.ts'
import { type Clock, Loop } from '../../domain/values/clock.ts'
import type { Directory } from '../../store/memory/directory.ts'
import type { StoredRunEvent } from '../../store/tables/runs/run-events.ts'
import type { Adopt } from '../resources/adopt.ts'
import type { EventFeed, Joined, Position } from './event-feed.ts'

export interface EventStreamsDeps {
  feed: Pick<EventFeed, 'positionAfter' | 'join'>
  directory: Pick<Directory, 'meeting' | 'keyByDigest' | 'tenant' | 'pulledAtMs'>
  adopt: Pick<Adopt, 'meeting'>
  clock: Clock
}

/** The wire that a stream of events is written to. */
export interface EventWire {
  /** Bytes that its reader has not taken yet. */
  readonly unreadBytes: number
  readonly isClosed: boolean
  /** Begins it: everything up to this position is known to its reader, or lost. */
  begin(position: Position): void
  write(events: readonly StoredRunEvent[]): void
  /** Shows that the connection lives. @param toldUpTo everything up to this number was told; null while the past is told */
  heartbeat(toldUpTo: number | null): void
  /** Ends it behind what was written. */
  end(): void
  /** Ends it at once: what was written may be lost. */
  cut(): void
  onTaken(callback: () => void): void
  onClose(callback: () => void): void
}

/** Events that a caller wants: of these meetings (none: of all), after this id (null: from now on). */
export interface WantedEvents {
  meetingIds: readonly string[]
  lastId: number | null
}

/** Streams of a tenant's events. */
export interface TenantEvents {
  /**
   * Streams them until the caller may not read them any more, reads too slowly, hangs up, or the gateway ends.
   * @throws MeetingNotFound, StoreError, ShuttingDown, and what refuses the caller by now
   */
  stream(caller: Caller, wanted: WantedEvents, wire: EventWire): Promise<void>
}

interface Stream {
  readonly caller: Caller
  readonly wire: EventWire
  wroteAtMs: number
  joined: Joined | null
}

/** Proxies close a connection on which nothing comes for a minute, some for half of one. */
const heartbeatMs = 15_000
/** A reader that leaves more lying about is cut: it comes back with the id of its last event. */
const maxUnreadBytes = 128 * 1024
/** Beyond it a reader gets no more of the past, until it has taken that. */
const readyBytes = 16 * 1024
const sweepEveryMs = 1_000
/** Time without news from the store after which a revoked key could live on. */
const blindAfterMs = 60_000

/** All open streams. Each second those end whose caller may not read any more: a revoked key ends its streams within 5 s. */
export class EventStreams implements TenantEvents {
  readonly #deps: EventStreamsDeps
  readonly #open = new Set<Stream>()
  readonly #loop: Loop
  #isEnded = false

  constructor(deps: EventStreamsDeps) {
    this.#deps = deps
    this.#loop = new Loop({ round: () => this.sweep(), everyMs: sweepEveryMs })
  }

  start(): this {
    this.#loop.start()
    return this
  }

  async stream(caller: Caller, { meetingIds, lastId }: WantedEvents, wire: EventWire): Promise<void> {
    const { feed, clock } = this.#deps
    const ids = await Promise.all(meetingIds.map((id, i) => this.#ownMeeting(caller, id, i)))
    const position = await feed.positionAfter(lastId)
    // Both looks took their time.
    const refused = this.#isEnded ? new ShuttingDown({ retryAfterSeconds: 1 }) : this.#refusalOf(caller)
    if (refused !== null) throw refused
    if (wire.isClosed) return
    const stream: Stream = { caller, wire, wroteAtMs: clock.monotonic(), joined: null }
    wire.begin(position)
    this.#open.add(stream)
    wire.onClose(() => {
      stream.joined?.leave()
      this.#open.delete(stream)
    })
    stream.joined = feed.join(
      {
        tenantId: caller.tenant.id,
        meetingIds: ids.length === 0 ? null : new Set(ids),
        isReady: () => wire.unreadBytes < readyBytes,
        whenReady: callback => wire.onTaken(callback),
        take: events => this.#write(stream, events)
      },
      position.seq
    )
  }

  /** Ends streams whose caller may not read any more, and tells all others that the connection lives. */
  sweep(): void {
    const { clock } = this.#deps
    const nowMs = clock.monotonic()
    for (const stream of this.#open) {
      if (this.#refusalOf(stream.caller) !== null) end(stream)
      else if (nowMs - stream.wroteAtMs >= heartbeatMs) {
        stream.wire.heartbeat(stream.joined?.toldUpTo() ?? null)
        stream.wroteAtMs = nowMs
      }
    }
  }

  /** How many are open. */
  get size(): number {
    return this.#open.size
  }

  /** Ends all streams, and lets none begin: their readers come back to the next gateway with the id of their last event. */
  endAll(): void {
    this.#isEnded = true
    for (const stream of this.#open) end(stream)
  }

  close(): Promise<void> {
    return this.#loop.close()
  }

  #write(stream: Stream, events: readonly StoredRunEvent[]): void {
    const { wire } = stream
    if (wire.unreadBytes > maxUnreadBytes) wire.cut()
    else wire.write(events)
    stream.wroteAtMs = this.#deps.clock.monotonic()
  }

  /** The id as the vendor writes it. */
  async #ownMeeting({ tenant }: Caller, id: string, i: number): Promise<string> {
    const { directory, adopt } = this.#deps
    const meeting =
      (await directory.meeting(tenant.id, id)) ?? (await adopt.meeting(tenant.id, likelySpelling(id), false))
    if (meeting !== null) return meeting.id
    throw new MeetingNotFound({
      details: [{ field: `query.meeting_id.${i}`, message: 'is no meeting of this tenant' }]
    })
  }

  #refusalOf({ key: { digest }, tenant: { id } }: Caller): Failure | null {
    const { directory, clock } = this.#deps
    const key = directory.keyByDigest(digest)
    const tenant = directory.tenant(id)
    const refusal = keyRefusal(key, clock.now())
    if (refusal !== null || tenant === null || key === null) return refusal ?? new Unauthorized()
    if (tenant.suspended) return new TenantSuspended()
    if (!key.scopes.includes('livestreams:read')) return new ScopeMissing()
    return clock.monotonic() - directory.pulledAtMs > blindAfterMs ? new StoreUnavailable() : null
  }
}

/** A reader that is behind does not hold up the end: it comes back for the rest. */
function end({ wire }: Stream): void {
  if (wire.unreadBytes > 0) wire.cut()
  else wire.end()
}
