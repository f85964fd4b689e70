import { setTimeout as sleep } from 'node:timers/promises'
import { ConfigError, readConfig, readStoreConfig } from '../../config/config.ts'
import { systemClock } from '../../domain/values/clock.ts'
import { isServedAtHome } from '../../store/homes.ts'
import { ServedAlready } from '../../store/served/patience.ts'
import type { Store } from '../../store/store.ts'
import type { OrderedStopNow } from '../../store/tables/runs/ordered-stops.ts'
import { type StopOrder, stopOrdersIn } from '../../store/tables/runs/stop-orders.ts'
import { UpstreamsRejected } from '../../upstream/account/upstreams-rejected.ts'
import { CommandError, type Io } from '../process/io.ts'
import { closing, inWords } from '../process/with-store.ts'
import { Progress } from './progress.ts'

/** How an order stands when its command ends. */
export interface SeenOrder {
  order: StopOrder
  stops: OrderedStopNow[]
  /** `ended`: it is carried out. `late`: the time was over. `interrupted`: by a signal. */
  how: 'ended' | 'late' | 'interrupted'
  /** Why no gateway and no command carries it out; null when one does. */
  trouble: string | null
  /** This process has carried it out, since no gateway serves the store. */
  isOwn: boolean
}

/** Pause between two looks at the order, and the time that a gateway that was killed has to come back, before the command takes its place. */
const usualTimes = { lookEveryMs: 250, comesBackWithinMs: 5_000 }

/**
 * Waits until an order is carried out, and shows how far it is. While a gateway serves the store, that one sends the stops. Else this process
 * takes its place for as long: one store, one sender, one quota.
 */
export async function seeThrough(io: Io, orderId: string, waitMs: number, times = usualTimes): Promise<SeenOrder> {
  const { home } = readStoreConfig(io.env)
  const endsAtMs = systemClock.monotonic() + waitMs
  const progress = new Progress(io)
  let isInterrupted = false
  const letGo = io.onInterrupt?.(() => {
    isInterrupted = true
  })
  let trouble: string | null = null
  let goneSinceMs = Number.NEGATIVE_INFINITY

  /** Null when nobody carries it out any more. */
  async function follow(store: Store, isOwn: boolean): Promise<SeenOrder | null> {
    const orders = stopOrdersIn(store)
    for (;;) {
      const order = (await orders.find(orderId)) as StopOrder
      const stops = await orders.stopsOf(orderId)
      progress.show(order, stops)
      const seen = { order, stops, trouble, isOwn }
      if (order.endedAtMs !== null) return { ...seen, how: 'ended' }
      if (isInterrupted) return { ...seen, how: 'interrupted' }
      if (systemClock.monotonic() >= endsAtMs) return { ...seen, how: 'late' }
      if (!isOwn && !(await isServed())) return null
      await sleep(times.lookEveryMs)
    }
  }

  /** Whether this process should leave the order to a gateway: there is one, or it may be coming back. */
  async function isServed(): Promise<boolean> {
    if (trouble !== null) return true
    if (await isServedAtHome(home)) {
      goneSinceMs = Number.POSITIVE_INFINITY
      return true
    }
    const nowMs = systemClock.monotonic()
    goneSinceMs = Math.min(goneSinceMs, nowMs)
    return nowMs - goneSinceMs < times.comesBackWithinMs
  }

  async function carryOut(): Promise<SeenOrder | null> {
    const config = readConfig(io.env)
    // Most of the program, which no other command needs.
    const { withoutDoors } = await import('../../gateway.ts')
    const { makeLogger } = await import('../../log/logger.ts')
    const logger = makeLogger('error', { write: line => io.err(`livegate: note: ${JSON.parse(line).msg}`) })
    return withoutDoors({ config, logger, open: file => io.openStore({ kind: 'sqlite', file }) }, store =>
      follow(store, true)
    )
  }

  try {
    for (;;) {
      if (!(await isServed())) {
        const seen = await inWords(carryOut).catch(error => {
          const isExpected = [CommandError, ConfigError, UpstreamsRejected].some(kind => error instanceof kind)
          if (!isExpected) throw error
          // The settings of a gateway may be missing here, say. If another process was faster, that one goes on.
          if (!(error.cause instanceof ServedAlready)) trouble = error.message
          return null
        })
        if (seen !== null) return seen
      }
      const seen = await inWords(async () => closing(await io.openStore(home), store => follow(store, false)))
      if (seen !== null) return seen
    }
  } finally {
    progress.end()
    letGo?.()
  }
}
