import type { Run } from '../../../src/domain/runs/run.ts'
import { broadcastRunsIn } from '../../../src/store/tables/runs/broadcast-runs.ts'
import { runEventsIn } from '../../../src/store/tables/runs/run-events.ts'
import { gateway, type TestContext, type World, type WorldOptions } from '../gateway.ts'

export interface LedgerWorld extends World {
  start(headers?: Record<string, string>): ReturnType<World['asAcme']>
  stop(): ReturnType<World['asAcme']>
  /** A read of what is live, which asks the vendor unless another one has just done so. */
  look(): ReturnType<World['asAcme']>
  /** All rows, in the order in which they became known. */
  runs(): Promise<Run[]>
  /** Types of the events, in their order. */
  told(): Promise<string[]>
}

/** A gateway of which the ledger is looked at. Each read asks the vendor, which is behind a door if that is wanted. */
export async function ledgerWorld(t: TestContext, options: WorldOptions = {}): Promise<LedgerWorld> {
  return withLedger(await gateway(t, { ...options, config: { readTtlMs: 0, ...options.config } }))
}

export function withLedger<W extends World>(world: W): W & LedgerWorld {
  const { asAcme, meeting, store } = world
  const all = { pageNo: 1, perPage: 100 }
  const rows = broadcastRunsIn(store)
  return {
    ...world,
    start: headers => asAcme('POST', `/v2/meetings/${meeting}/livestreams`, {}, headers),
    stop: () => asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`),
    look: () => asAcme('GET', `/v2/meetings/${meeting}/active-livestream`),
    async runs() {
      const { runs } = await rows.list('acme', all)
      return runs.reverse()
    },
    async told() {
      const events = await runEventsIn(store).after(0, { limit: 1_000 })
      return events.map(({ type }) => type.replace('livestream.', ''))
    }
  }
}
