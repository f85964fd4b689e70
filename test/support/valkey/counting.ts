import { Gcra } from '../../../src/domain/values/gcra.ts'
import { SharedCounter } from '../../../src/valkey/counter.ts'
import type { Valkey } from '../../../src/valkey/link.ts'
import { type ManualClock, manualClock } from '../clock.ts'

/** A Valkey that counts as its script does, by a clock that is moved. It can be lost, with all that it knows or not. */
export interface CountingValkey extends Valkey {
  lose(): void
  comeBack(isEmpty: boolean): void
}

export function countingValkey({ monotonic }: Pick<ManualClock, 'monotonic'>, replicas: number): CountingValkey {
  let all = new Gcra({ monotonic, maxKeys: 1_000 })
  let session: number | null = 1
  let sessions = 1
  return {
    replicas,
    get session() {
      return session
    },
    get epoch() {
      return session === null ? null : 'epoch'
    },
    async ask(_script, [key = ''], [windowMs = 0, spacingMs = 0, knownMs = 0]) {
      if (session === null) return null
      if (Number(knownMs) > all.untilFullMs(key)) all.set(key, Number(knownMs))
      const bucket = { windowMs: Number(windowMs), max: Number(windowMs) / Number(spacingMs) }
      const { isAllowed, ttlMs } = all.take(key, bucket)
      return [Number(isAllowed), String(all.untilFullMs(key)), String(isAllowed ? 0 : ttlMs), '']
    },
    lose() {
      session = null
    },
    comeBack(isEmpty) {
      if (isEmpty) all = new Gcra({ monotonic, maxKeys: 1_000 })
      sessions += 1
      session = sessions
    }
  }
}

/** So many replicas that count there, on one clock. */
export function countingReplicas(count: number) {
  const clock = manualClock()
  const valkey = countingValkey(clock, count)
  const { monotonic } = clock
  const counters = Array.from({ length: count }, () => new SharedCounter({ valkey, monotonic }))
  const call = async (replica: number, max: number, windowMs = 60_000): Promise<boolean> =>
    (await counters[replica % count]?.take('read/acme', { max, windowMs }))?.isAllowed ?? false
  return { clock, valkey, counters, call }
}
