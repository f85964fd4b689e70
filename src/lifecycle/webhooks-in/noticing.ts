import { setTimeout as sleep } from 'node:timers/promises'
import { isSameId } from '../../domain/id.ts'
import { isRunning, type OwnedLivestream } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import type { Run } from '../../domain/runs/run.ts'
import type { WebhookNotice } from '../../domain/webhooks/vendor-webhook.ts'
import type { Directory } from '../../store/memory/directory.ts'
import type { Bounded } from '../context.ts'
import type { Whose } from '../resources/whose.ts'
import type { WhatRuns } from '../running/sight.ts'

/**
 * Somebody has told of news: a reason to look, and no truth. True when it was looked, or is nobody's; false when it could not be.
 * Never throws.
 */
export type Noticed = (notice: WebhookNotice) => Promise<boolean>

export interface NoticingDeps {
  whose: Whose
  whatRuns: WhatRuns
  /** Looks at a livestream by its id, whatever is known of it. */
  refresh(livestream: OwnedLivestream, signal: AbortSignal): Promise<void>
  /** Makes a livestream of the meeting known that was never seen. */
  makeKnown(meeting: OwnedMeeting, livestreamId: string, signal: AbortSignal): Promise<void>
  /** The open runs of a meeting that memory knows. */
  openRunsOf(meeting: OwnedMeeting): readonly Pick<Run, 'livestreamId'>[]
  directory: Pick<Directory, 'livestream'>
  bounded: Bounded
  log: { warn(facts: object, message: string): void }
  /** The gateway has no more time to end gracefully. */
  ending: AbortSignal
  /** Pauses before a look that failed is repeated. */
  pausesMs?: readonly number[]
}

interface Look {
  done: Promise<boolean>
  /** Begins behind it, for news that came after it had begun. */
  next: Promise<boolean> | null
}

/** So many looks at the same time: many webhooks at once are no reason to crowd out what callers ask. */
const atOnce = 8
/** So many subjects at most; beyond them only reconciliation looks. */
const mostSubjects = 5_000
/** After them it is left to reconciliation. */
const usualPausesMs = [500, 1_000, 2_000, 5_000, 10_000, 30_000]

/**
 * Looks at what webhooks tell of, so that the store, and those who read next, know it before anybody asks. News of one thing share a
 * look that begins after them.
 */
export class Noticing {
  readonly #deps: NoticingDeps
  readonly #looks = new Map<string, Look>()
  readonly #queue: (() => void)[] = []
  #free = atOnce

  constructor(deps: NoticingDeps) {
    this.#deps = deps
  }

  readonly noticed: Noticed = notice => {
    const key = [notice.upstream, notice.meetingId, notice.livestreamId].join('/')
    const look = this.#looks.get(key)
    if (look === undefined) return this.#begin(key, notice)
    look.next ??= look.done.then(() => this.#begin(key, notice))
    return look.next
  }

  #begin(key: string, notice: WebhookNotice): Promise<boolean> {
    if (this.#looks.size >= mostSubjects) {
      this.#deps.log.warn(
        { event: 'vendor_webhooks_dropped', upstream: notice.upstream },
        'too many webhooks at once: some are not looked after'
      )
      return Promise.resolve(false)
    }
    const look: Look = { next: null, done: this.#lookAfter(notice) }
    this.#looks.set(key, look)
    look.done.then(() => this.#looks.delete(key))
    return look.done
  }

  async #lookAfter(notice: WebhookNotice): Promise<boolean> {
    const { log, ending, pausesMs = usualPausesMs } = this.#deps
    for (const pauseMs of [...pausesMs, null]) {
      if (ending.aborted) return false
      try {
        await this.#look(notice)
        return true
      } catch (err) {
        const { upstream, event, meetingId, livestreamId } = notice
        const about = { err, upstream, webhook_event: event, meeting_id: meetingId, livestream_id: livestreamId }
        if (pauseMs === null)
          log.warn({ event: 'vendor_webhook_unseen', ...about }, 'nobody could look at what a webhook tells of')
      }
      if (pauseMs !== null) await sleep(pauseMs, undefined, { signal: ending, ref: false }).catch(() => {})
    }
    return false
  }

  async #look(notice: WebhookNotice): Promise<void> {
    const { whose, refresh, bounded } = this.#deps
    // It may wait for its turn, and takes no place meanwhile.
    const subject = await bounded(signal => whose(notice, signal))
    if (subject === null) return
    await this.#enter()
    try {
      if ('livestream' in subject) await bounded(signal => refresh(subject.livestream, signal))
      else await this.#lookInto(subject.meeting, notice)
    } finally {
      this.#leave()
    }
  }

  /** The meeting's active livestream need not be the one that was told of: a vendor may run two at once. */
  async #lookInto(meeting: OwnedMeeting, { livestreamId }: WebhookNotice): Promise<void> {
    const { whatRuns, refresh, makeKnown, openRunsOf, directory, bounded } = this.#deps
    const { livestream: shown } = await bounded(signal => whatRuns(meeting, 'read', signal))
    const toldId = livestreamId ?? shown?.id ?? null
    const isShown = shown !== null && toldId !== null && isSameId(shown.id, toldId)
    // Only its session tells a run that begins soon after another one from that one.
    const isKnown = openRunsOf(meeting).some(run => isSameId(run.livestreamId ?? '', toldId ?? ''))
    if (toldId === null || (isShown && isKnown)) return
    const told = await directory.livestream(meeting.tenantId, toldId)
    // A run that is over by now is news all the same when nobody has seen it.
    if (told === null) await bounded(signal => makeKnown(meeting, toldId, signal))
    else if (isShown || isRunning(told.status)) await bounded(signal => refresh(told, signal))
  }

  async #enter(): Promise<void> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>(resolve => this.#queue.push(resolve))
  }

  /** Hands the place on to the next one that waits. */
  #leave(): void {
    const next = this.#queue.shift()
    if (next === undefined) this.#free += 1
    else next()
  }
}
