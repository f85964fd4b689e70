import { LRUCache } from 'lru-cache'
import { upTo } from '../domain/cache-size.ts'
import { type Failure, type Outcome, UpstreamMalformed } from '../domain/failures.ts'
import type { OwnedMeeting } from '../domain/meeting.ts'
import type { Livestreams } from '../store/livestreams.ts'

const remembered = 20_000

/**
 * Remembers which meeting a livestream is of, whichever tenant holds that meeting. A livestream never leaves its meeting, so what is
 * known once need not be asked for again.
 */
export class KnownMeetings {
  readonly #livestreams: Pick<Livestreams, 'meetingOf'>
  readonly #meetings = new LRUCache<string, string>(upTo(remembered))

  constructor(livestreams: Pick<Livestreams, 'meetingOf'>) {
    this.#livestreams = livestreams
  }

  /**
   * Whether a livestream is known as one of this meeting; false when nobody knows it. A store that can't be read knows nothing.
   * @throws UpstreamMalformed when it is known as another meeting's, or as one without a meeting: its key is not for this tenant
   */
  async has(meeting: OwnedMeeting, livestreamId: string): Promise<boolean> {
    if (this.#meetings.get(livestreamId) === meeting.id) return true
    const known = await this.#livestreams.meetingOf(livestreamId).catch(() => null)
    if (known === null) return false
    if (known.meetingId !== meeting.id) throw ofAnotherMeeting()
    this.note(meeting, livestreamId)
    return true
  }

  /** Remembers a livestream as one of this meeting. */
  note({ id }: OwnedMeeting, livestreamId: string): void {
    this.#meetings.set(livestreamId, id)
  }
}

/** Failure of an answer that shows a livestream in a meeting that it is not of. @param outcome of a mutation that was answered so */
export function ofAnotherMeeting(outcome?: Outcome): Failure {
  const cause = new Error('the vendor answered with a livestream of another meeting')
  return new UpstreamMalformed({ cause, outcome })
}
