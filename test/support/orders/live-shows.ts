import { randomUUID } from 'node:crypto'
import type { Simulator } from '../../../src/simulator/simulator.ts'
import type { Store } from '../../../src/store/store.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { type NewStopOrder, stopOrdersIn } from '../../../src/store/tables/runs/stop-orders.ts'
import { until } from '../until.ts'

/** Meetings of a tenant that are live at the vendor, begun by browsers: Livegate has seen none of them. */
export async function liveShows(
  store: Store,
  simulator: Simulator,
  tenantId: string,
  count: number
): Promise<string[]> {
  const ids = Array.from({ length: count }, () => simulator.addMeeting().id)
  await meetingsIn(store).assign(tenantId, 'default', ids, Date.now())
  for (const id of ids) simulator.startFromBrowser(id)
  return ids
}

/** The meetings in which something runs by the vendor's own truth; a livestream without one by its id. */
export function running(simulator: Simulator): string[] {
  const isOn = ({ sessions }: { sessions: { stopped_time: string | null }[] }) =>
    sessions.some(({ stopped_time }) => stopped_time === null)
  return simulator
    .livestreams()
    .filter(isOn)
    .map(({ id, meeting_id }) => meeting_id ?? id)
    .sort()
}

/** Gives an order about all that is live, as a command does. */
export async function giveOrder(store: Store, how: Partial<NewStopOrder> = {}): Promise<string> {
  const order: NewStopOrder = {
    id: randomUUID(),
    reason: 'operator',
    tenantId: null,
    operator: 'ada',
    requestId: randomUUID(),
    createdAtMs: Date.now(),
    ...how
  }
  await store.engine.write(stopOrdersIn(store).give(order, null))
  return order.id
}

/** Waits until an order is carried out, and gives it with its stops. */
export async function carriedOut(store: Store, id: string) {
  const orders = stopOrdersIn(store)
  await until(async () => (await orders.find(id))?.endedAtMs != null)
  return { order: await orders.find(id), stops: await orders.stopsOf(id) }
}
