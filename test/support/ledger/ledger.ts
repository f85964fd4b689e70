import type { RunEnder } from '../../../src/domain/runs/run.ts'
import type { Clock } from '../../../src/domain/values/clock.ts'
import { RunHub } from '../../../src/lifecycle/ledger/hub.ts'
import { Ledger, type LedgerDeps } from '../../../src/lifecycle/ledger/ledger.ts'
import type { Engine } from '../../../src/store/engine/engine.ts'
import type { Store } from '../../../src/store/store.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { broadcastRunsIn } from '../../../src/store/tables/runs/broadcast-runs.ts'
import { runEventsIn } from '../../../src/store/tables/runs/run-events.ts'
import { manualClock } from '../clock.ts'
import { storeWithTenants } from '../store/helper.ts'

let made = 0

/** A ledger over a store, as in a gateway. Its ids are counted. */
export function ledgerIn(store: Store, clock: Clock, more: Partial<LedgerDeps> = {}): Ledger {
  return new Ledger({
    engine: store.engine,
    runs: broadcastRunsIn(store),
    hub: new RunHub({ error() {} }),
    enderOf: async () => 'outside',
    newId: () => `found ${++made}`,
    log: { warn() {} },
    clock,
    settleMs: 30_000,
    retryAfterMs: 5,
    ...more
  })
}

/** A ledger over a store of its own, with a clock that moves when it is told to. */
export async function ledgerOf(t: Parameters<typeof storeWithTenants>[0]) {
  const { store, file } = await storeWithTenants(t)
  await meetingsIn(store).assign('acme', 'default', ['m1'], 1_000)
  const clock = manualClock()
  const logged: string[] = []
  const log = (_: object, message: string): void => void logged.push(message)
  const hub = new RunHub({ error: log })
  const runs = broadcastRunsIn(store)
  const told = { ender: 'outside' as RunEnder }
  /** Replaced by tests in which the store fails. */
  const engine: Pick<Engine, 'write'> = { write: store.engine.write.bind(store.engine) }
  const newLedger = () =>
    ledgerIn(store, clock, {
      engine: { write: (...how) => engine.write(...how) },
      ...{ runs, hub, log: { warn: log } },
      enderOf: async () => told.ender
    })
  const ledger = newLedger()
  t.teardown(() => ledger.close())
  const rows = async () => (await runs.list('acme', { pageNo: 1, perPage: 100 })).runs.reverse()
  return { ledger, newLedger, store, file, engine, clock, logged, hub, runs, rows, told, events: runEventsIn(store) }
}
