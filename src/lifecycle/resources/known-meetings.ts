import { LRUCache } from 'lru-cache'
import { isSameId, isUuid, likelySpelling, placeOf } from '../../domain/id.ts'
import { type Livestream, type LivestreamWithKey, names, type OwnedLivestream } from '../../domain/livestream.ts'
import type { OwnedMeeting, PlacedMeeting } from '../../domain/meeting.ts'
import { type Failure, LivestreamNotFound, type Outcome, UpstreamMalformed } from '../../domain/refusals/failures.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { KnownMeeting, LivestreamOwner, Livestreams } from '../../store/tables/livestreams.ts'
import type { Provider } from '../../upstream/provider.ts'
import { beforeSending } from '../broadcast/before-sending.ts'
import type { PutRight } from './misplaced.ts'

const remembered = 20_000

/** The meeting that a livestream is known to be of, and whether an answer that names it has said so. */
type Where = Pick<KnownMeeting, 'meetingId' | 'isProved'>

/**
 * Remembers which meeting a livestream is of, whichever tenant holds that meeting. A livestream never leaves its meeting, so
 * its meeting need not be asked for again. A meeting that is known by the answer to a start alone may be wrong
 * (`misplaced.ts`).
 */
export class KnownMeetings {
  readonly #livestreams: Pick<Livestreams, 'meetingOf'>
  readonly #putRight: PutRight
  /** By vendor account and livestream. */
  readonly #meetings = new LRUCache<string, Where>(upTo(remembered))
  /** Ids as they are stored, by their likely spelling. */
  readonly #stored = new LRUCache<string, string>(upTo(remembered))

  constructor(livestreams: Pick<Livestreams, 'meetingOf'>, putRight: PutRight) {
    this.#livestreams = livestreams
    this.#putRight = putRight
  }

  /**
   * Whether a livestream is known as one of this meeting; false when nobody knows it. A store that can't be read knows nothing.
   * @param provider of the meeting's upstream, which has shown it there
   * @throws UpstreamMalformed when it is known as another meeting's, or as one without a meeting: its key is not for this tenant
   */
  async has(meeting: OwnedMeeting, livestreamId: string, provider: Provider): Promise<boolean> {
    if (isIn(this.#meetings.get(keyOf(meeting, livestreamId)), meeting)) return true
    const known = await this.#known(livestreamId)
    if (known === null) return false
    if (isIn(known, meeting)) this.note(meeting, livestreamId, known.isProved)
    else if (!(await this.#moves(livestreamId, known, meeting, provider))) throw ofAnotherMeeting()
    return true
  }

  /** The meeting that a livestream of this vendor account is known to be of. Another account with that id says nothing of it. */
  async whereIs(upstream: string, livestreamId: string): Promise<Where | null> {
    const where = this.#meetings.get(keyOf({ upstream }, livestreamId)) ?? null
    if (where?.isProved) return where
    const known = await this.#known(livestreamId)
    return known?.upstream === upstream ? known : where
  }

  /**
   * Whether a livestream of this meeting is known as that of a tenant that held the meeting before: once its run is over, the present
   * holder hears nothing of it. A store that can't be read proves nothing: then nobody hears of it.
   */
  async isOfEarlierHolder(meeting: OwnedMeeting, livestreamId: string): Promise<boolean> {
    try {
      const known = await this.#livestreams.meetingOf(livestreamId)
      return known !== null && known.tenantId !== meeting.tenantId && isIn(known, meeting)
    } catch {
      return true
    }
  }

  /** Remembers a livestream as one of this meeting. @param isProved false by the answer to a start, which does not change what is proved */
  note({ id: meetingId, upstream }: PlacedMeeting, livestreamId: string, isProved: boolean): void {
    const key = keyOf({ upstream }, livestreamId)
    const spelling = likelySpelling(livestreamId)
    if (!this.#stored.has(spelling)) this.#stored.set(spelling, livestreamId)
    if (isProved || !this.#meetings.get(key)?.isProved) this.#meetings.set(key, { meetingId, isProved })
  }

  /**
   * A livestream that the vendor has shown, with its id as it is stored: the vendor may write a UUID in another case than it did first.
   * One that nobody knows keeps the id that it was shown with.
   */
  async spelt<L extends Pick<Livestream, 'id'>>(livestream: L): Promise<L> {
    const isAsked = !isUuid(livestream.id) || this.#stored.has(likelySpelling(livestream.id))
    if (!isAsked) await this.#known(livestream.id)
    return this.asRemembered(livestream)
  }

  /** The same without asking the store: for one that it has been asked about. */
  asRemembered<L extends Pick<Livestream, 'id'>>(livestream: L): L {
    const id = isUuid(livestream.id) ? this.#stored.get(likelySpelling(livestream.id)) : undefined
    return id === undefined ? livestream : { ...livestream, id }
  }

  /** Whether the vendor's answer about a livestream, asked for by its id, can be about the one that is known. Else that is put right, if it may be. */
  async fits(owner: LivestreamOwner, answered: Livestream, provider: Provider): Promise<boolean> {
    return (await this.#compare(owner, answered, provider)) === 'same'
  }

  /**
   * The vendor's answer about a livestream that is known by its own id, for its owner.
   * @throws UpstreamMalformed when it is shown in another meeting; LivestreamNotFound when it is in that one from now on
   */
  async ofOwner(owner: LivestreamOwner, answered: LivestreamWithKey, provider: Provider): Promise<LivestreamWithKey> {
    const compared = await this.#compare(owner, answered, provider)
    if (compared === 'moved') throw new LivestreamNotFound()
    return ofOwner(owner, answered)
  }

  /**
   * Before a livestream is changed by its id: the vendor is asked about one that is not proved. Gives the owner, with what is proved by now.
   * @throws LivestreamNotFound when it is not the tenant's; what a Provider throws, as `not_sent`
   */
  async beforeChange(owner: OwnedLivestream, provider: Provider, signal: AbortSignal): Promise<OwnedLivestream> {
    if (owner.isProved) return owner
    const page = { pageNo: 1, perPage: 1 }
    const found = await beforeSending(provider.findLivestream(owner.id, page, signal))
    // The vendor has its own answer for a livestream that is not there.
    if (found === null) return owner
    const compared = await this.#compare(owner, found.livestream, provider)
    if (compared === 'moved') throw new LivestreamNotFound()
    ofOwner(owner, found.livestream, 'not_sent')
    return { ...owner, isProved: isProvedBy(owner, found.livestream) }
  }

  async #compare(
    { id, meetingId, upstream }: LivestreamOwner,
    answered: Livestream,
    provider: Provider
  ): Promise<'same' | 'other' | 'moved'> {
    const { meeting_id: named } = answered
    if (named == null || names(answered, meetingId)) return 'same'
    const known = await this.#known(id)
    if (known === null) return 'other'
    // Somebody else may have put it right.
    if (names(answered, known.meetingId)) return 'moved'
    return (await this.#moves(id, known, { id: named, upstream }, provider)) ? 'moved' : 'other'
  }

  async #known(livestreamId: string): Promise<KnownMeeting | null> {
    const known = await this.#livestreams.meetingOf(livestreamId).catch(() => null)
    if (known !== null) this.#stored.set(likelySpelling(known.id), known.id)
    return known
  }

  /** Whether it is in this meeting from now on, or by now. */
  async #moves(
    livestreamId: string,
    known: KnownMeeting,
    { id: meetingId, upstream }: Pick<OwnedMeeting, 'id' | 'upstream'>,
    provider: Provider
  ): Promise<boolean> {
    const isMoved = await this.#putRight({ livestreamId, known, meetingId, upstream }, provider)
    // Others who saw the same may have been faster.
    if (!isMoved && (known.isProved || !isIn(await this.#known(livestreamId), { id: meetingId }))) return false
    this.note({ id: meetingId, upstream }, livestreamId, true)
    return true
  }
}

/** Two vendor accounts may give one id to two livestreams, and to two meetings. */
function keyOf({ upstream }: Pick<OwnedMeeting, 'upstream'>, livestreamId: string): string {
  return placeOf({ id: likelySpelling(livestreamId), upstream })
}

/** Whether a livestream is known to be of this meeting. Either may be spelled as a vendor has written it. */
export function isIn(where: Where | null | undefined, { id }: Pick<OwnedMeeting, 'id'>): boolean {
  return where?.meetingId != null && isSameId(where.meetingId, id)
}

/** Whether an answer says by itself that the livestream is where it is known to be. */
export function isProvedBy({ meetingId, isProved }: LivestreamOwner, livestream: Livestream): boolean {
  return isProved === true || names(livestream, meetingId)
}

/**
 * The vendor's answer about a livestream that is known by its own id. @param outcome of the mutation that it is the answer to
 * @throws UpstreamMalformed when it is shown in another meeting: then it is not, or not any more, what the tenant owns
 */
export function ofOwner(
  owner: Pick<OwnedLivestream, 'meetingId'>,
  answered: LivestreamWithKey,
  outcome?: Outcome
): LivestreamWithKey {
  if (answered.meeting_id != null && !names(answered, owner.meetingId)) throw ofAnotherMeeting(outcome)
  return { ...answered, meeting_id: owner.meetingId }
}

/** Failure of an answer that shows a livestream in a meeting that it is not of. @param outcome of a mutation that was answered so */
export function ofAnotherMeeting(outcome?: Outcome): Failure {
  const cause = new Error('the vendor answered with a livestream of another meeting')
  return new UpstreamMalformed({ cause, outcome })
}

/** Failure when the vendor has called new what is somebody's already: whether anything was made nobody knows. */
export function notNew(what: 'meeting' | 'livestream'): Failure {
  const cause = new Error(`the vendor answered with a ${what} that is known already as a new one`)
  return new UpstreamMalformed({ cause, outcome: 'unknown' })
}
