import { type Clock, Loop } from '../domain/values/clock.ts'
import { tellTrouble } from '../domain/values/tell-trouble.ts'
import { waitBriefly } from '../lifecycle/context.ts'
import type { Engine } from '../store/engine/engine.ts'
import type { KeyUseRows } from '../store/tables/key-uses.ts'

export interface KeyUsesDeps {
  engine: Pick<Engine, 'write'>
  rows: Pick<KeyUseRows, 'used'>
  log: { warn(facts: object, message: string): void }
  clock: Pick<Clock, 'now'>
  everyMs?: number
}

/** Keeps in which hour each key was used last: one row an hour and key at most, written behind all answers. */
export interface KeyUses {
  /** A key was shown, and is valid. */
  note(keyId: string): void
  /** Writes what is noted, and ends. */
  close(): Promise<void>
}

const hourMs = 3_600_000
/** Rows of one transaction. */
const mostAtOnce = 500
const lastWriteMs = 200

export function keepKeyUses({ engine, rows, log, clock, everyMs = 10_000 }: KeyUsesDeps): KeyUses {
  const hours = new Map<string, number>()
  const unwritten = new Set<string>()

  async function write(): Promise<void> {
    while (unwritten.size > 0) {
      const uses = [...unwritten].slice(0, mostAtOnce).map(id => [id, hours.get(id) ?? 0] as const)
      await engine.write(uses.map(([id, hour]) => rows.used(id, hour)))
      // An hour may have begun meanwhile.
      for (const [id, hour] of uses) if (hours.get(id) === hour) unwritten.delete(id)
    }
  }

  const loop = new Loop({
    round: write,
    everyMs,
    onTrouble: tellTrouble(
      log,
      'warn',
      { event: 'key_uses_unwritten' },
      'the last uses of keys could not be written: tried again'
    )
  }).start()

  return {
    note(keyId) {
      const nowMs = clock.now()
      const hour = nowMs - (nowMs % hourMs)
      if (hours.get(keyId) === hour) return
      hours.set(keyId, hour)
      unwritten.add(keyId)
    },

    async close() {
      // A store that hangs holds up no end, and costs an hour of a list.
      void loop.close()
      await waitBriefly(write(), lastWriteMs).catch(() => {})
    }
  }
}
