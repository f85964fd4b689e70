import type { Unasked, UnownedRun } from '../../store/tables/runs/stop-orders.ts'

/** Memory of an order that is being carried out, beside its rows. */
export interface Work {
  /** Whether it was asked what Livegate knows. */
  isKnown: boolean
  unasked: Map<string, Unasked>
  unowned: Map<string, UnownedRun>
  /** Vendor accounts that are still to be asked. */
  toAsk: Set<string>
  askAtMs: number
  tries: number
  /** The findings that its row has. */
  noted: string
  sinceMs: number
  leasedUntilMs: number
  /** Stops that are being recorded. */
  recording: Set<string>
  /** As many were found by the looks before the last one. */
  stops: number
}

/** @param toAsk vendor accounts at which its tenant may have something; @param nowMs on the monotonic clock */
export function newWork(toAsk: Set<string>, nowMs: number): Work {
  return {
    isKnown: false,
    unasked: new Map(),
    unowned: new Map(),
    toAsk,
    askAtMs: Number.NEGATIVE_INFINITY,
    tries: 0,
    noted: '',
    sinceMs: nowMs,
    leasedUntilMs: Number.NEGATIVE_INFINITY,
    recording: new Set(),
    stops: -1
  }
}
