import { existsSync, rmSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { readKeyTexts, sealKeys } from '../audit/keys/key-backup.ts'
import { readStoreConfig } from '../config/config.ts'
import { Secret } from '../domain/values/secret.ts'
import { copyStore, isStoreThere, publishCopy } from '../store/engine/copy.ts'
import { demandFile } from '../store/homes.ts'
import { auditEventsIn } from '../store/tables/audit/audit-events.ts'
import { auditNotesIn } from '../store/tables/audit/audit-notes.ts'
import { withDraft } from './process/draft.ts'
import { CommandError, type Io, type JsonOption, print, UsageError } from './process/io.ts'
import { beforeLeaving } from './process/shutdown.ts'
import { inWords, withSnapshot } from './process/with-store.ts'

export interface BackupOptions extends JsonOption {
  withKeys?: boolean
  passphraseFile?: string
  plain?: boolean
}

/** Beside a backup, its keys have this name. */
export const keysOf = (file: string): string => `${file}.keys`

const minPassphraseLength = 8
/** A draft that was not written for so long is of no backup that is under way. */
const silentForMs = 3_600_000

/**
 * Copies the store, also beside a running gateway, into a new file, and its keys, sealed, into another one. Both files are written
 * whole, or neither is.
 */
export async function backup(io: Io, target: string, options: BackupOptions): Promise<void> {
  const { withKeys, plain, passphraseFile } = options
  const waysToKeep = [plain, passphraseFile].filter(way => way !== undefined).length
  if (!withKeys && waysToKeep > 0) throw new UsageError('--passphrase-file and --plain go with --with-keys')
  if (withKeys && waysToKeep !== 1) {
    throw new UsageError('--with-keys needs --passphrase-file <file> to seal the keys, or --plain')
  }
  const { home, auditKeys } = readStoreConfig(io.env)
  const storeFile = await inWords(async () =>
    demandFile(home, 'pg_dump copies it, and continuous archiving (PITR) loses nothing')
  )
  const file = resolve(target)
  const passphrase = passphraseFile === undefined ? null : await readPassphrase(passphraseFile)
  const keysFile = keysOf(file)
  // Keys of another backup would count as those of this one.
  for (const path of [file, keysFile]) {
    if (await isStoreThere(path)) throw new CommandError(`${path} is there already: give another name`)
  }
  // Looks at the store first: what is wrong with it is said in the words of every command.
  const keys = await withSnapshot(io, async store =>
    withKeys ? sealKeys(await readKeyTexts(auditKeys, await auditNotesIn(store).keys()), passphrase) : null
  )
  await inWords(() =>
    withDraft(file, silentForMs, async draft => {
      await copyStore(storeFile, draft)
      if (keys === null) return publishCopy(draft, file)
      // A signal takes them away too, unless the store is there by then.
      const forget = beforeLeaving(async () => existsSync(file) || rmSync(keysFile, { force: true }))
      try {
        await writeKeys(keysFile, keys)
        await publishCopy(draft, file).catch(async error => {
          await rm(keysFile)
          throw error
        })
      } finally {
        forget()
      }
    })
  )
  const { events } = await stateOf(io, file)
  const text =
    keys === null
      ? `${file} has the store up to event ${events}; its keys are not in it`
      : `${file} has the store up to event ${events}, ${keysFile} its keys`
  print(io, options, { file, events, keys: keys === null ? null : keysFile }, text)
}

/** Reads how many events a copy of a store has. @throws StoreError */
export async function stateOf(io: Pick<Io, 'openSnapshot'>, file: string): Promise<{ events: number }> {
  const store = await io.openSnapshot({ kind: 'sqlite', file })
  try {
    return { events: (await auditEventsIn(store).head()).seq }
  } finally {
    await store.close()
  }
}

/** The first line of the file. @throws UsageError */
export async function readPassphrase(file: string): Promise<Secret> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw new UsageError(`--passphrase-file: ${file} cannot be read`)
  })
  const [line = ''] = text.split(/\r?\n/)
  if (line.length < minPassphraseLength) {
    throw new UsageError(`--passphrase-file: the passphrase has fewer than ${minPassphraseLength} characters`)
  }
  return new Secret(line)
}

async function writeKeys(file: string, text: string): Promise<void> {
  await writeFile(file, text, { flag: 'wx', mode: 0o600, flush: true }).catch(cause => {
    throw new CommandError(`cannot make ${file}: ${cause.message}`, { cause })
  })
}
