import { readCheckpoint } from '../audited-store/older-store.ts'
import { readStoreConfig } from '../config/config.ts'
import { CommandError, type Io, type JsonOption, print, UsageError } from './process/io.ts'
import { withAudit, withoutGateway } from './process/with-store.ts'

/**
 * Goes on with a store that is older than its last checkpoint, or another one. The permission holds once, for the state whose
 * checkpoint ends with this hash. The audit log records it, and the newer checkpoint is kept.
 */
export async function acceptOlderStore(io: Io, hashText: string, options: JsonOption): Promise<void> {
  const hash = readHash(hashText)
  const { auditKeys } = readStoreConfig(io.env)
  const checkpoint = await readCheckpoint(auditKeys.dataDir)
  if (checkpoint === null) throw new CommandError(`there is no checkpoint in ${auditKeys.dataDir}: nothing to accept`)
  if (checkpoint.head.hash !== hash)
    throw new CommandError(`nothing was accepted: ${checkpoint.file} ends with another hash`)
  const { accepted, event } = await withoutGateway(io, () =>
    withAudit(io, async ({ audited }) => ({ accepted: audited.accepted, event: (await audited.events.head()).seq }), {
      acceptHash: hash,
      isAlone: true
    })
  )
  if (accepted === null)
    throw new CommandError(`nothing to accept: the store has all that ${checkpoint.file} vouches for`)
  const facts = { accepted_at: event, log: accepted.log, lost_to: accepted.head.seq }
  const text = `accepted: the log goes on with event ${event}, and what ${accepted.log} had after that up to ${accepted.head.seq} is lost; look at its keys and meetings before \`serve\` (docs/backup.md)`
  print(io, options, facts, text)
}

/** The last hash of a checkpoint, in hex as we print it, or in base64 as it stands there. @throws UsageError */
export function readHash(text: string): string {
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase()
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length === 32 && bytes.toString('base64') === text) return bytes.toString('hex')
  throw new UsageError('the last hash of a checkpoint is 64 hex digits')
}
