import { realpath } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fileTime, readOwnFile } from '../audit/copies.ts'
import { type KeyTexts, openKeys, placeKeys } from '../audit/keys/key-backup.ts'
import { AuditKeyError } from '../audit/keys/key-files.ts'
import { type Checkpoint, readCheckpoint } from '../audited-store/older-store.ts'
import { readStoreConfig } from '../config/config.ts'
import type { Secret } from '../domain/values/secret.ts'
import { copyStore, isStoreThere, putStore } from '../store/engine/copy.ts'
import { demandFile } from '../store/homes.ts'
import { keysOf, readPassphrase } from './backup.ts'
import { withDraft } from './process/draft.ts'
import { CommandError, type Io, type JsonOption, print } from './process/io.ts'
import { inWords, withAudit, withoutGateway } from './process/with-store.ts'

export interface RestoreOptions extends JsonOption {
  passphraseFile?: string
  replace?: boolean
}

/**
 * Puts a backup, with the keys that lie beside it, where the store belongs, while no gateway serves it. The audit log records it. A
 * loss that a newer checkpoint shows is accepted at once. A store that is there is kept beside it.
 */
export async function restore(io: Io, source: string, options: RestoreOptions): Promise<void> {
  const { replace = false, passphraseFile } = options
  const { home, auditKeys } = readStoreConfig(io.env)
  const storeFile = await inWords(async () =>
    demandFile(home, 'pg_restore, or a recovery to a moment (PITR), puts it back')
  )
  const from = resolve(source)
  const file = await realpath(storeFile).catch(() => storeFile)
  if ((await realpath(from).catch(() => from)) === file) throw new CommandError(`${from} is the store itself`)
  if (!(await isStoreThere(from))) throw new CommandError(`there is no backup at ${from}`)
  const passphrase = passphraseFile === undefined ? null : await readPassphrase(passphraseFile)
  const keys = await inWords(() => readBackedUp(keysOf(from), passphrase))

  const done = await withoutGateway(io, async () => {
    if (!replace && (await isStoreThere(file))) {
      throw new CommandError(
        `there is a store at ${storeFile}: --replace puts the backup in its place, and keeps it beside it`
      )
    }
    const time = fileTime(Date.now())
    // Nobody else restores here now, so every draft was left behind.
    const replaced = await inWords(() =>
      withDraft(file, 0, async draft => {
        await copyStore(from, draft)
        if (keys !== null) await placeKeys(auditKeys, keys, replace, time)
        return putStore(draft, file, `${file}.replaced-${time}`)
      })
    )
    const checkpoint = await readCheckpoint(auditKeys.dataDir)
    return { replaced, ...(await record(io, checkpoint)) }
  })
  print(io, options, { store: storeFile, ...done }, tell(storeFile, done))
}

/** The outcome of a restore. */
interface Restored {
  /** The store that was there, kept beside the one that was put back. */
  replaced: string | null
  /** The event that records it; null when the keys are missing that would sign it. */
  event: number | null
  /** The last event that the newer checkpoint vouches for, and which is lost; null without such a checkpoint. */
  lost_to: number | null
  /** Steps that are left to do, a sentence each. */
  left: string[]
}

/** Records behind the backup's last event that it was put back. */
async function record(io: Io, checkpoint: Checkpoint | null): Promise<Omit<Restored, 'replaced'>> {
  try {
    return await withAudit(
      io,
      async ({ audited, worker }) => {
        const { accepted, events } = audited
        if (accepted === null) await audited.restored(worker)
        const { seq } = await events.head()
        return { event: seq, lost_to: accepted?.head.seq ?? null, left: [] }
      },
      { acceptHash: checkpoint?.head.hash, isAlone: true }
    )
  } catch (error) {
    if (!(error instanceof CommandError && error.cause instanceof AuditKeyError)) throw error
    const accept = checkpoint === null ? [] : [`then: livegate store accept-older ${checkpoint.head.hash}`]
    return { event: null, lost_to: null, left: [error.message, ...accept] }
  }
}

function tell(storeFile: string, { replaced, event, lost_to, left }: Restored): string {
  const lines = [
    `restored ${storeFile}${event === null ? '' : `: event ${event} of its log says so`}`,
    ...(lost_to === null
      ? []
      : [
          `events up to ${lost_to} of what was there before are lost: keys that were revoked since work again, and released meetings are back; look at both before \`serve\` (docs/backup.md)`
        ]),
    ...(replaced === null ? [] : [`the store that was there is ${replaced}`]),
    ...left
  ]
  return lines.join('\n')
}

/** The keys of a backup; null when none lie beside it. */
async function readBackedUp(file: string, passphrase: Secret | null): Promise<KeyTexts | null> {
  const text = await readOwnFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw new CommandError(`${file} cannot be read: ${error.message}`, { cause: error })
    return null
  })
  return text === null ? null : openKeys(file, text, passphrase)
}
