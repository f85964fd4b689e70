import { openAudited } from '../../audited-store/audited-store.ts'
import { replaceLostKeys } from '../../audited-store/key-changes.ts'
import { newerThan, readCheckpoint } from '../../audited-store/older-store.ts'
import { readStoreConfig } from '../../config/config.ts'
import { nameOfHome } from '../../domain/store-home.ts'
import { systemClock } from '../../domain/values/clock.ts'
import { isAtHome } from '../../store/homes.ts'
import { CommandError, type Io, type JsonOption, print } from '../process/io.ts'
import { closing, commandWorker, inWords, onAuditTrouble, withoutGateway } from '../process/with-store.ts'

/**
 * Puts new keys in the place of lost ones, so that `serve` can work again. A store that is older than its checkpoint stays refused:
 * that is another act.
 */
export async function replaceLost(io: Io, options: JsonOption): Promise<void> {
  const { home, auditKeys: places } = readStoreConfig(io.env)
  if (!(await inWords(() => isAtHome(home))))
    throw new CommandError(`there is no store at ${nameOfHome(home)}: DATABASE_URL says where it is`)
  const work = async () =>
    closing(await io.openStore(home), async store => {
      const replaced = await replaceLostKeys(store, places, commandWorker(), systemClock.now())
      const newer = await newerThan(store, await readCheckpoint(places.dataDir))
      if (newer === null) {
        const audited = await openAudited({ store, places, clock: systemClock, onTrouble: onAuditTrouble(io) })
        await audited.checkpointer.close()
      }
      return { ...replaced, acceptHash: newer?.checkpoint.head.hash ?? null }
    })
  const { signing, fingerprint, acceptHash } = await withoutGateway(io, () => inWords(work))
  const lines = [
    ...(signing === null
      ? []
      : [
          signing.after,
          'signs from now on: keep a copy of it in another place, and of the one before; both are needed to prove the log'
        ]),
    ...(fingerprint
      ? ['fingerprints are made with another key from now on: idempotency keys of before count as unused']
      : []),
    ...(acceptHash === null
      ? []
      : [`the store is older than its checkpoint: livegate store accept-older ${acceptHash}`])
  ]
  const facts = {
    public_key: signing?.after ?? null,
    public_key_before: signing?.before ?? null,
    fingerprint_key_replaced: fingerprint
  }
  print(io, options, facts, lines.join('\n'))
}
