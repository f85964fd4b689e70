import { stat } from 'node:fs/promises'
import { AuditKeyError, findAuditKeys, openAuditKeys } from '../../audit/keys/key-files.ts'
import { newerThan, readCheckpoint, refusalOf, whyMissing } from '../../audited-store/older-store.ts'
import { nearestFolder, writeTrouble } from '../../audited-store/store-rights.ts'
import type { Config } from '../../config/config.ts'
import { nameOfHome } from '../../domain/store-home.ts'
import type { Tenant } from '../../domain/tenant.ts'
import { folderOf, freeMbAt } from '../../gateway/housekeeping.ts'
import { isAtHome } from '../../store/homes.ts'
import { findForeign } from '../../store/schema/integrity.ts'
import type { Store } from '../../store/store.ts'
import { auditNotesIn } from '../../store/tables/audit/audit-notes.ts'
import { type HeldAt, overviewOf } from '../../store/tables/overview.ts'
import { tenantsIn } from '../../store/tables/tenants.ts'
import { type WebhookCount, webhookCountsIn } from '../../store/tables/webhooks-in/counts.ts'
import { CommandError, type Io } from '../process/io.ts'
import { inWords, withSnapshot } from '../process/with-store.ts'
import { type Check, failed, ok, type Verdict, warning } from './check.ts'

/** The contents of a store, as far as other checks need them. */
export interface Seen {
  tenants: Tenant[]
  held: HeldAt[]
  newestEventMs: number | null
  /** By upstream. */
  webhooks: ReadonlyMap<string, WebhookCount>
}

/** Looks at the store beside a running gateway or without one. Makes none; `seen` is null when there is none, or none that can be read. */
export async function checkStore(
  io: Io,
  { home, auditKeys }: Pick<Config, 'home' | 'auditKeys'>
): Promise<{ checks: Check[]; seen: Seen | null }> {
  const trouble = await writeTrouble({ home, auditKeys })
  const name = nameOfHome(home)
  const about = { check: 'store', subject: name } as const
  if (trouble !== null) return { checks: [{ ...about, ...failed(trouble) }], seen: null }
  try {
    // The checkpoint is read before the store: one that was written in between would seem to vouch for missing events.
    const checkpoint = await readCheckpoint(auditKeys.dataDir)
    const gone = checkpoint && (await inWords(() => whyMissing(home, checkpoint)))
    if (checkpoint !== null && gone !== null) {
      const { message } = refusalOf({ checkpoint, why: gone })
      return { checks: [{ ...about, ...failed(message) }], seen: null }
    }
    if (!(await inWords(() => isAtHome(home)))) {
      const none = ok('there is none yet: `serve`, or the first `tenant create`, makes it')
      return { checks: [{ ...about, ...none }], seen: null }
    }
    return await withSnapshot(io, async store => {
      const seen = await look(store)
      const foreign = await findForeign(store.engine, store.sql)
      const newer = await newerThan(store, checkpoint)
      const { length } = seen.tenants
      const readable =
        newer === null
          ? ok(`can be read; ${length} ${length === 1 ? 'tenant' : 'tenants'}`)
          : failed(refusalOf(newer).message)
      const verdict = foreign === null ? readable : failed(`${foreign}: \`serve\` would not start`)
      const keys: Check = { check: 'audit keys', subject: auditKeys.dataDir, ...(await checkKeys(store, auditKeys)) }
      const nlink = home.kind === 'sqlite' ? (await stat(home.file)).nlink : 1
      const names: Check[] = nlink === 1 ? [] : [{ ...about, ...warning(severalNames(nlink)) }]
      return { checks: [{ ...about, ...verdict }, ...names, keys], seen }
    })
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    return { checks: [{ ...about, ...failed(error.message.replace(`${name} `, '')) }], seen: null }
  }
}

/** The space where the store is, or will be. The gateway warns of too little, and goes on. */
export async function checkDisk(
  { home, auditKeys }: Pick<Config, 'home' | 'auditKeys'>,
  floorMb: number
): Promise<Check> {
  const folder = await nearestFolder(folderOf(home, auditKeys.dataDir))
  const freeMb = await freeMbAt(folder)
  const verdict =
    freeMb >= floorMb
      ? ok(`${freeMb} MB are free`)
      : warning(
          `${freeMb} MB are free, less than ${floorMb} (LIVEGATE_DISK_FLOOR_MB): make room, since without any starts are refused`
        )
  return { check: 'disk', subject: folder, ...verdict }
}

async function look(store: Store): Promise<Seen> {
  const overview = overviewOf(store)
  return {
    tenants: await tenantsIn(store).list(),
    held: await overview.held(),
    newestEventMs: await overview.newestEventMs(),
    webhooks: await webhookCountsIn(store).all()
  }
}

async function checkKeys(store: Store, places: Config['auditKeys']): Promise<Verdict> {
  const remembered = await auditNotesIn(store).keys()
  const { areMade = true } = places
  if (remembered.publicKey === null && areMade) return ok('none are needed yet: the first change makes them')
  try {
    if (remembered.publicKey === null) await openAuditKeys(places, remembered)
    else await findAuditKeys(places, remembered)
    return ok('both are there, and are those of the log')
  } catch (error) {
    if (!(error instanceof AuditKeyError)) throw error
    return failed(error.message)
  }
}

function severalNames(count: number): string {
  return `has ${count} names (hard links): use it by one of them alone, since SQLite keeps files beside the name`
}
