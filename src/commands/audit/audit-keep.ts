import { type Io, type JsonOption, print, UsageError } from '../process/io.ts'
import { readMoment } from '../process/moment.ts'
import { withAudit } from '../process/with-store.ts'

export interface PruneOptions extends JsonOption {
  before: string
}

/** Removes events that are older, up to the last checkpoint before that time. The chain stays provable across the cut. */
export async function pruneAudit(io: Io, options: PruneOptions): Promise<void> {
  const beforeMs = readMoment('--before', options.before)
  if (beforeMs > Date.now()) throw new UsageError('--before must not lie in the future')
  const { removed, cutAt } = await withAudit(io, ({ audited, worker }) => audited.prune(beforeMs, worker))
  const text =
    removed === 0
      ? 'nothing to remove: no checkpoint has only older events before it'
      : `removed ${removed} events; the log begins with event ${(cutAt ?? 0) + 1} now`
  print(io, options, { removed, first_seq: cutAt === null ? 1 : cutAt + 1 }, text)
}

export interface RotateOptions extends JsonOption {
  lost?: boolean
}

/** Makes another key sign the log from now on; the old one signs that it is so. Acts on a running gateway with its next checkpoint. */
export async function rotateAuditKey(io: Io, options: RotateOptions): Promise<void> {
  if (options.lost) return (await import('./audit-lost-keys.ts')).replaceLost(io, options)
  const publicKey = await withAudit(io, ({ audited, worker }) => audited.rotate(worker))
  print(io, options, { public_key: publicKey }, `${publicKey}\nsigns from now on: keep a copy of it in another place`)
}
