import { setTimeout as sleep } from 'node:timers/promises'
import { sql as raw } from 'kysely'
import { nameOfHome, type PostgresHome } from '../../domain/store-home.ts'
import { Conflict, type Engine } from '../engine/engine.ts'
import { sqlFor } from '../schema/database.ts'
import { type Patience, ServedAlready, silentForMs } from '../served/patience.ts'
import type { PostgresEngine } from './postgres.ts'
import { fenced, PostgresReplica } from './replica.ts'

/** A gateway that serves a store, as its row is. */
interface Owner {
  id: string
  commits: number
  /** As many may serve the store beside it, itself included. */
  most: number
}

export interface ClaimOptions extends Patience {
  /** As many may serve the store. */
  most?: number
  /** Longest call to a vendor. */
  deadlineMs?: number
  /** Longest time until a start has its turn in the store. */
  writeWithinMs?: number | undefined
  onTrouble(error: unknown): void
}

const sql = sqlFor('postgres')
const lookEveryMs = 500

/** The gateways that serve the store. */
async function ownersOf(engine: Pick<Engine, 'read'>): Promise<Owner[]> {
  return engine.read(raw<Owner>`select id, commits, most from livegate_writers where serves`.compile(sql))
}

/** Whether a gateway serves the store, or did so a moment ago. */
export async function isServed(engine: Pick<Engine, 'read'>): Promise<boolean> {
  const lately = raw<{ id: string }>`select id from livegate_writers
    where serves and seen_at > clock_timestamp() - make_interval(secs => ${silentForMs / 1_000})`
  return (await engine.read(lately.compile(sql))).length > 0
}

/**
 * Makes this process one of those that serve the store. Where that may be one alone, a gateway that is silent for 6 s counts as gone: from
 * then on none of its commits stands. Among several the leader sees to that.
 * @throws ServedAlready when as many live as there may be, and none ends within `waitMs`
 */
export async function claim(
  home: PostgresHome,
  engine: PostgresEngine,
  { most = 1, deadlineMs = 0, writeWithinMs, onTrouble, ...patience }: ClaimOptions
): Promise<PostgresReplica> {
  const { silent, isAlone } = await untilRoom(home, engine, most, patience)
  const me = engine.writerId
  const others = raw`livegate_writers other where other.serves and other.id <> ${me}
    and other.id not in (${raw.join(['', ...silent.map(({ id }) => id)])})`
  const take = raw`update livegate_writers set serves = true, most = ${most}, serves_since = clock_timestamp() where id = ${me}
    and (select count(*) from ${others}) < least(${most}::integer, (select min(other.most) from ${others}))`
  const forget = raw`delete from livegate_writers where not serves and id <> ${me}
    and seen_at < clock_timestamp() - interval '1 day'`
  try {
    await engine.write([
      ...(isAlone ? silent.map(({ id, commits }) => fenced(id, commits)) : []),
      { ...take.compile(sql), changes: 1 },
      forget.compile(sql)
    ])
  } catch (error) {
    throw error instanceof Conflict ? new ServedAlready('another gateway has just begun to serve this store') : error
  }
  if (most > 1) engine.comeBack(most)
  const replica = new PostgresReplica({
    engine,
    most,
    deadlineMs,
    writeWithinMs,
    onTrouble,
    monotonic: patience.monotonic
  })
  try {
    await replica.beat()
  } catch (error) {
    await replica.release().catch(() => {})
    throw error
  }
  return replica.start()
}

/** Waits until one more may serve the store. Gives those that are silent, and whether one alone may. */
async function untilRoom(
  home: PostgresHome,
  engine: Pick<Engine, 'read'>,
  most: number,
  { waitMs, onWait, monotonic, pause = sleep }: Patience
): Promise<{ silent: Owner[]; isAlone: boolean }> {
  const startedAtMs = monotonic()
  const seen = new Map<string, { commits: number; changedAtMs: number }>()
  for (let isFirst = true; ; isFirst = false) {
    const nowMs = monotonic()
    const owners = await ownersOf(engine)
    for (const { id, commits } of owners) {
      const before = seen.get(id)
      const changedAtMs = isFirst ? startedAtMs : before?.commits === commits ? before.changedAtMs : nowMs
      seen.set(id, { commits, changedAtMs })
    }
    const changedAtMs = ({ id }: Owner): number => seen.get(id)?.changedAtMs ?? nowMs
    const limit = Math.min(most, ...owners.map(owner => owner.most))
    const silent = owners.filter(owner => nowMs - changedAtMs(owner) >= silentForMs)
    if (owners.length - silent.length < limit) return { silent, isAlone: limit === 1 }
    if (isFirst) onWait()
    const alive = owners.filter(owner => changedAtMs(owner) > startedAtMs)
    if (alive.length >= limit && nowMs - startedAtMs >= waitMs) throw refusal(home, limit)
    await pause(lookEveryMs)
  }
}

function refusal(home: PostgresHome, limit: number): ServedAlready {
  const name = nameOfHome(home)
  if (limit === 1) return new ServedAlready(`another gateway serves ${name}: one store, one gateway`)
  return new ServedAlready(`${limit} gateways serve ${name}, and LIVEGATE_REPLICAS allows no more`)
}
