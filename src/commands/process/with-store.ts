import { randomUUID } from 'node:crypto'
import { userInfo } from 'node:os'
import { AuditKeyError } from '../../audit/keys/key-files.ts'
import { toAuditEvent, type Worker } from '../../audit/ocsf.ts'
import { NotProved } from '../../audit/prune.ts'
import { type AuditedStore, openAudited } from '../../audited-store/audited-store.ts'
import { demandStore, OlderStoreError } from '../../audited-store/older-store.ts'
import { demandReadable, demandWritable } from '../../audited-store/store-rights.ts'
import { readStoreConfig } from '../../config/config.ts'
import type { AuditResource } from '../../domain/audit/audit-event.ts'
import { nameOfHome, type StoreHome } from '../../domain/store-home.ts'
import type { Tenant } from '../../domain/tenant.ts'
import { systemClock } from '../../domain/values/clock.ts'
import { type Statement, StoreError, wordsOf } from '../../store/engine/engine.ts'
import { demandPlace, demandSameName, isAtHome, isOlderAtHome, keepGatewaysOut } from '../../store/homes.ts'
import type { Store } from '../../store/store.ts'
import { tenantsIn } from '../../store/tables/tenants.ts'
import { CommandError, type Io } from './io.ts'

/** One moment of the store, for a command that only looks: nothing is made or changed, beside a running `serve` or without one. */
export async function withSnapshot<T>(io: Io, work: (store: Store) => Promise<T>): Promise<T> {
  const config = readStoreConfig(io.env)
  const { home } = config
  const name = nameOfHome(home)
  const isThere = await inWords(async () => {
    await demandReadable(config)
    await demandPlace(home)
    await demandStore(home, config.auditKeys.dataDir)
    return isAtHome(home)
  })
  if (!isThere)
    throw new CommandError(`there is no store at ${name}: \`serve\`, or the first \`tenant create\`, makes it`)
  const open = (): Promise<Store> =>
    io.openSnapshot(home).catch(error => {
      // The file may be an incomplete copy, or a copy of something else, so its name is half of the answer.
      const named = !(error instanceof StoreError) || error.reason.includes(name)
      throw named ? error : new StoreError(`${name} cannot be read: ${error.reason}`, { cause: error })
    })
  return inWords(async () => closing(await open(), work))
}

/** The act of a command, for the record. */
export interface Change {
  action: string
  method: 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  tenantId: string | null
  resources: AuditResource[]
}

/** The means of a command that changes something. */
export interface Recording {
  store: Store
  audited: AuditedStore
  /** The operator, in this call. */
  worker: Worker
  /** The event of a change, for the transaction that makes it: neither is there without the other. */
  record(change: Change): Statement
}

export interface RecordingOptions {
  /** The last hash of the newer checkpoint over which an older store is accepted. */
  acceptHash?: string | undefined
  /** The command keeps every gateway from the store already (`withoutGateway`). */
  isAlone?: boolean
}

/** The same for a command that changes something: what it does is on record, in the same chain as the gateway's calls, and signed. */
export async function withAudit<T>(
  io: Io,
  work: (recording: Recording) => Promise<T>,
  { acceptHash, isAlone = false }: RecordingOptions = {}
): Promise<T> {
  const config = readStoreConfig(io.env)
  const { home, auditKeys: places } = config
  await inWords(() => demandWritable(config))
  const onTrouble = onAuditTrouble(io)
  const worker = commandWorker()
  const acceptOlder = acceptHash === undefined ? undefined : { hash: acceptHash, worker }
  return inWords(async () => {
    demandSameName(home)
    await demandStore(home, places.dataDir, acceptHash)
    return closing(await (isAlone ? io.openStore(home) : upToDate(io, home)), async store => {
      const audited = await openAudited({ store, places, clock: systemClock, onTrouble, acceptOlder })
      const record = (change: Change): Statement => {
        const subject = { ...change, ...worker, keyId: null, address: null }
        return audited.events.append(toAuditEvent(subject, { outcome: 'done' }, Date.now()))
      }
      try {
        return await work({ store, audited, worker, record })
      } finally {
        await audited.checkpointer.close()
      }
    })
  })
}

/**
 * Opens the store and brings its schema up to date, though never under a gateway that serves it: an older one would write on as if
 * nothing had changed. @throws CommandError when one serves it
 */
async function upToDate(io: Io, home: StoreHome): Promise<Store> {
  const open = (): Promise<Store> => io.openStore(home)
  if (!(await isAtHome(home)) || !(await isOlderAtHome(home))) return open()
  return withoutGateway(io, open, 'to bring an older store up to date')
}

/** Says what could not be signed: the change itself is made. */
export function onAuditTrouble(io: Pick<Io, 'err'>): (error: unknown) => void {
  return error => io.err(`livegate: note: the audit log could not be signed (${wordsOf(error)})`)
}

/**
 * Keeps every gateway from the store meanwhile. A gateway may have another lock file: somebody has removed it, or the store has a
 * second name. Its row in the store shows it. A damaged store shows nothing, and `restore` has to work there too.
 * @throws CommandError when one serves it
 */
export async function withoutGateway<T>(io: Io, work: () => Promise<T>, what = 'this'): Promise<T> {
  const config = readStoreConfig(io.env)
  await inWords(() => demandWritable(config))
  const { home } = config
  const onWait = () => io.err(`livegate: note: looks for 6 s at most whether a gateway serves ${nameOfHome(home)}`)
  const release = await keepGatewaysOut(home, { onWait, monotonic: systemClock.monotonic }).catch(cause => {
    if (!(cause instanceof StoreError)) throw cause
    throw new CommandError(`${cause.reason}; ${what} needs a stopped one`, { cause })
  })
  try {
    return await work()
  } finally {
    await release()
  }
}

/** The operator at the command line, in this call. */
export function commandWorker(): Worker {
  return { actor: { type: 'Operator', uid: operator() }, requestId: randomUUID() }
}

/** A tenant that must exist, so that a misspelt one is not taken for one that has nothing. */
export async function tenantOf(store: Store, id: string): Promise<Tenant> {
  const tenant = await tenantsIn(store).find(id)
  if (tenant === null) throw new CommandError(`there is no tenant ${id}`)
  return tenant
}

/** Closes the store behind the work, whatever comes of it. */
export async function closing<T>(store: Store, work: (store: Store) => Promise<T>): Promise<T> {
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

/** Does the work, and turns what goes wrong with store or keys into words. @throws CommandError */
export async function inWords<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof StoreError) throw new CommandError(error.reason, { cause: error })
    if (error instanceof AuditKeyError || error instanceof NotProved || error instanceof OlderStoreError) {
      throw new CommandError(error.message, { cause: error })
    }
    throw error
  }
}

/** The user at the command line, as far as the system knows. */
function operator(): string {
  try {
    return userInfo().username.slice(0, 64)
  } catch {
    return String(process.getuid?.() ?? 'unknown') // in a container a user may have no name
  }
}
