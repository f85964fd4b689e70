import { endedAt, wentLiveAt } from '../state/livestream.ts'
import type { VendorState } from '../state/state.ts'
import { meetingEnded, meetingStarted, statusUpdate, type WebhookEvent } from './events.ts'

/** Compares the state with what was told of it. Most of it changes with time alone, so somebody has to look. */
export class News {
  readonly #state: VendorState
  /** Told of each run and each session of a meeting: that it began, or that it ended. */
  readonly #told = new Map<string, 'began' | 'ended'>()

  constructor(state: VendorState) {
    this.#state = state
  }

  /** Everything that has happened since the last look, in order for each livestream and each session. INVOKED and ERRORED are never sent (contract#livestreaming-status-update). */
  look(): WebhookEvent[] {
    return [...this.#ofSessions('began'), ...this.#ofRuns(), ...this.#ofSessions('ended')]
  }

  #ofRuns(): WebhookEvent[] {
    const state = this.#state
    const at = state.now()
    const over = state.settings.contract === 'L1' ? 'OFFLINE' : 'IDLE'
    const events: WebhookEvent[] = []
    for (const run of state.runs.values()) {
      const livestream = state.livestreams.get(run.livestreamId)
      if (livestream === undefined) continue
      if (wentLiveAt(run, at) !== null && this.#tell(run.id, 'began'))
        events.push(statusUpdate(state, livestream, 'LIVE'))
      const status = run.ending === 'ERRORED' ? 'OFFLINE' : over
      if (endedAt(run, at) !== null && this.#tell(run.id, 'ended')) events.push(statusUpdate(state, livestream, status))
    }
    return events
  }

  #ofSessions(which: 'began' | 'ended'): WebhookEvent[] {
    const state = this.#state
    const events: WebhookEvent[] = []
    for (const session of state.sessions.values()) {
      if (which === 'began' && this.#tell(session.id, 'began')) events.push(meetingStarted(state, session))
      if (which === 'began' || session.endedAt === null || !this.#tell(session.id, 'ended')) continue
      events.push(meetingEnded(state, session, session.endedAt))
    }
    return events
  }

  /** False when it was told before: what has ended does not begin any more. */
  #tell(id: string, what: 'began' | 'ended'): boolean {
    const told = this.#told.get(id)
    if (told === what || told === 'ended') return false
    this.#told.set(id, what)
    return true
  }
}
