import type { Dispatcher } from 'undici'
import { mayBeSent } from '../../domain/values/sending.ts'

/** The call's time was over, or it was not this process's any more, when its first byte was to leave. */
export class SentTooLate extends Error {}

/** Asks directly before the first byte of a mutation whether it may still go out. */
export function lastCheck(dispatch: Dispatcher['dispatch']): Dispatcher['dispatch'] {
  return (options, handler) => {
    const { signal, method } = options as { signal?: AbortSignal; method: string }
    if (method === 'GET' || signal === undefined) return dispatch(options, handler)
    // Its methods stand on its prototype, and they have no other state than its own.
    const checked = Object.create(handler, {
      onRequestStart: {
        value(controller: Dispatcher.DispatchController, context: unknown) {
          if (!mayBeSent(signal)) controller.abort(new SentTooLate())
          else handler.onRequestStart?.call(handler, controller, context)
        }
      }
    })
    return dispatch(options, checked)
  }
}
