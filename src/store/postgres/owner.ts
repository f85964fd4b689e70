import { setTimeout as sleep } from 'node:timers/promises'
import { sql as raw } from 'kysely'
import { nameOfHome, type PostgresHome } from '../../domain/store-home.ts'
import { Loop } from '../../domain/values/clock.ts'
import { Conflict, type Engine, UniqueViolation } from '../engine/engine.ts'
import { sqlFor } from '../schema/database.ts'
import { type Patience, ServedAlready, silentForMs } from '../served/patience.ts'
import type { PostgresEngine } from './postgres.ts'

/** The gateway that serves a store, as its row is. Each of its commits, and each beat, changes the row. */
interface Owner {
  id: string
  commits: number
}

const sql = sqlFor('postgres')
const lookEveryMs = 500
const beatEveryMs = 2_000

/** Null when no gateway serves the store. */
async function ownerOf(engine: Pick<Engine, 'read'>): Promise<Owner | null> {
  const [row] = await engine.read(raw<Owner>`select id, commits from livegate_writers where serves`.compile(sql))
  return row ?? null
}

/** Whether a gateway serves the store, or did so a moment ago. */
export async function isServed(engine: Pick<Engine, 'read'>): Promise<boolean> {
  const lately = raw<{ id: string }>`select id from livegate_writers
    where serves and seen_at > clock_timestamp() - make_interval(secs => ${silentForMs / 1_000})`
  return (await engine.read(lately.compile(sql))).length > 0
}

/**
 * Makes this process the one that serves the store. A gateway that is silent for 6 s counts as gone: from then on none of its commits stands.
 * @throws ServedAlready when another gateway lives, and does not end within `waitMs`
 */
export async function claim(
  home: PostgresHome,
  engine: PostgresEngine,
  patience: Patience,
  onTrouble: (error: unknown) => void
): Promise<{ release(): Promise<void> }> {
  const before = await untilGone(home, engine, patience)
  const me = engine.writerId
  const fence = raw`update livegate_writers set serves = false, fenced_at = clock_timestamp()
    where id = ${before?.id ?? ''} and commits = ${before?.commits ?? 0} and serves`
  const take = raw`update livegate_writers set serves = true where id = ${me}`
  const forget = raw`delete from livegate_writers where not serves and id <> ${me}
    and seen_at < clock_timestamp() - interval '1 day'`
  try {
    await engine.write([
      ...(before === null ? [] : [{ ...fence.compile(sql), changes: 1 }]),
      { ...take.compile(sql), changes: 1 },
      forget.compile(sql)
    ])
  } catch (error) {
    const isFaster = error instanceof Conflict || error instanceof UniqueViolation
    throw isFaster ? new ServedAlready('another gateway has just begun to serve this store') : error
  }
  const beating = new Loop({ round: () => engine.write([]), everyMs: beatEveryMs, onTrouble }).start()
  return {
    async release() {
      void beating.close()
      const letGo = raw`update livegate_writers set serves = false where id = ${me}`
      await engine.write([letGo.compile(sql)])
    }
  }
}

/** The row that is to be replaced; null when there is none. */
async function untilGone(
  home: PostgresHome,
  engine: Pick<Engine, 'read'>,
  { waitMs, onWait, monotonic, pause = sleep }: Patience
): Promise<Owner | null> {
  let owner = await ownerOf(engine)
  if (owner === null) return null
  onWait()
  const startedAtMs = monotonic()
  let changedAtMs = startedAtMs
  for (;;) {
    await pause(lookEveryMs)
    const [nowMs, before] = [monotonic(), owner]
    owner = await ownerOf(engine)
    if (owner === null) return null
    if (owner.id !== before.id || owner.commits !== before.commits) changedAtMs = nowMs
    const lives = changedAtMs > startedAtMs
    if (lives && nowMs - startedAtMs >= waitMs)
      throw new ServedAlready(`another gateway serves ${nameOfHome(home)}: one store, one gateway`)
    if (nowMs - changedAtMs >= silentForMs) return owner
  }
}
