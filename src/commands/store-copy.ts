import { resolve } from 'node:path'
import { logChange } from '../audit/ocsf.ts'
import { openAudited } from '../audited-store/audited-store.ts'
import { readStoreConfig } from '../config/config.ts'
import { nameOfHome } from '../domain/store-home.ts'
import { systemClock } from '../domain/values/clock.ts'
import { isAtHome, keepGatewaysOut } from '../store/homes.ts'
import { CommandError, type Io, type JsonOption, print } from './process/io.ts'
import { closing, commandWorker, inWords, onAuditTrouble, withoutGateway } from './process/with-store.ts'

/**
 * Copies a SQLite file into the empty database that DATABASE_URL names, while no gateway uses either. The audit log goes on there behind an
 * event that says so. The file stays as it is.
 */
export async function copyStore(io: Io, from: string, options: JsonOption): Promise<void> {
  const { home, auditKeys: places } = readStoreConfig(io.env)
  if (home.kind !== 'postgres')
    throw new CommandError('DATABASE_URL must name the database in PostgreSQL that is copied to')
  const source = { kind: 'sqlite', file: resolve(from.replace(/^sqlite:/, '')) } as const
  if (!(await isAtHome(source))) throw new CommandError(`there is no store at ${source.file}`)
  const patience = {
    onWait: () => io.err('livegate: note: looks for 6 s at most whether a gateway serves it'),
    monotonic: systemClock.monotonic
  }

  const done = await inWords(async () => {
    const release = await keepGatewaysOut(source, patience)
    const copied = async () =>
      closing(await io.openSnapshot(source), async file => {
        const { copyInto } = await import('../store/postgres/copy-into.ts')
        let rows = 0
        // The tables are made as for a new store.
        await closing(await io.openStore(home), async () => {})
        await copyInto(home, file, (_, count) => {
          rows += count
        })
        return rows
      })
    const record = async (rows: number) =>
      closing(await io.openStore(home), async store => {
        const audited = await openAudited({ store, places, clock: systemClock, onTrouble: onAuditTrouble(io) })
        const change = { action: 'copyStore', method: 'PUT', worker: commandWorker() } as const
        await store.engine.write([audited.events.append(logChange(change, Date.now()))])
        await audited.checkpointer.sign()
        const { seq } = await audited.events.head()
        await audited.checkpointer.close()
        return { rows, event: seq }
      })
    return withoutGateway(io, async () => record(await copied())).finally(release)
  })
  const text = `copied ${done.rows} rows to ${nameOfHome(home)}: event ${done.event} of its log says so; the file stays, and must not be served again`
  print(io, options, { store: nameOfHome(home), ...done }, text)
}
