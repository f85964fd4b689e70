import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { checkFile } from '../../domain/values/own-file.ts'
import { KeptHabits } from '../account/observed.ts'

const Count = Type.Number({ minimum: 0 })

/**
 * A quota file: what a gateway leaves of an upstream for its successor and for `livegate upstream status`. It has the calls that were
 * used of the vendor's quota, and how things stand. Times are in ms, `atMs` is epoch.
 */
const QuotaFile = Type.Object({
  upstream: Type.String({ maxLength: 64 }),
  atMs: Count,
  /** The monotonic clock's time, and the boot that it belongs to: unlike `atMs`, nobody sets it. Older files have neither. */
  monotonicMs: Type.Optional(Count),
  bootId: Type.Optional(Type.Union([Type.String({ maxLength: 64 }), Type.Null()])),
  quota: Count,
  windowMs: Count,
  loweredTo: Count,
  used: Type.Object({ stop: Count, mutation: Count, read: Count, other: Count }),
  left: Type.Object({ stop: Count, mutation: Count, read: Count }),
  pausedForMs: Count,
  breaker: Type.Enum(['closed', 'open']),
  tenants: Type.Array(Type.Object({ tenantId: Type.String(), reads: Count, mutations: Count, stops: Count })),
  /** Calls that the vendor counts, and for how long from `monotonicMs` on. */
  spent: Type.Array(Type.Object({ calls: Count, forMs: Count })),
  /** Calls that may have been sent since, at most; 0 after a graceful stop, which leaves exact figures. Older files don't say. */
  reserved: Type.Optional(Count),
  /** Older files have none. */
  habits: Type.Optional(KeptHabits)
})
export type QuotaFile = Static<typeof QuotaFile>

const isQuotaFile = Compile(QuotaFile)

export function quotaFileIn(folder: string, upstream: string): string {
  return join(folder, `upstream-${upstream}.json`)
}

/** Reads a quota file. Null when there is none; `unreadable` when something is there that can't be read, or is none. */
export async function inspectQuotaFile(file: string): Promise<QuotaFile | 'unreadable' | null> {
  try {
    checkFile(file, await stat(file))
    const kept: unknown = JSON.parse(await readFile(file, 'utf8'))
    return isQuotaFile.Check(kept) ? kept : 'unreadable'
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT' ? null : 'unreadable'
  }
}

/** Reads it where it is a help alone: null also when it can't be read. */
export async function readQuotaFile(file: string): Promise<QuotaFile | null> {
  const kept = await inspectQuotaFile(file)
  return kept === 'unreadable' ? null : kept
}

/** Text of a trial, more than a full disk still takes: an empty file would fit there. */
const trial = ' '.repeat(4_096)

/** Whether the file can be written: asked before anything depends on it. */
export async function canWriteQuotaFile(file: string): Promise<boolean> {
  try {
    // A pipe of that name would take nothing, and never say so.
    await rm(`${file}.new`, { force: true })
    await writeFile(`${file}.new`, trial, { mode: 0o600 })
    return true
  } catch {
    return false
  }
}

/** The vendor's habits as they are known now. A clock that was set back makes nothing last longer. */
export function habitsBefore(kept: Pick<QuotaFile, 'atMs' | 'habits'> | null, nowMs: number): KeptHabits | undefined {
  if (kept?.habits === undefined) return undefined
  const { failsForMs, ...others } = kept.habits
  return { ...others, failsForMs: Math.max(0, failsForMs - Math.max(0, nowMs - kept.atMs)) }
}
