/**
 * Conditions of signals, beyond that they have not aborted. A timer comes late after a process stood still, and a call that goes on then must
 * not send what others count as over by now.
 */
const conditions = new WeakMap<AbortSignal, () => boolean>()

/** Gives the signal back: whatever it bounds is sent only while this holds too. */
export function sentOnlyWhile(signal: AbortSignal, holds: () => boolean): AbortSignal {
  const before = conditions.get(signal)
  conditions.set(signal, before === undefined ? holds : () => before() && holds())
  return signal
}

/** Whether a call that this signal bounds may still be sent: asked directly before its first byte. */
export function mayBeSent(signal: AbortSignal): boolean {
  return !signal.aborted && (conditions.get(signal)?.() ?? true)
}
