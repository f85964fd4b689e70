import type { Directory } from '../../store/memory/directory.ts'
import type { Store } from '../../store/store.ts'
import { stopOrdersIn } from '../../store/tables/runs/stop-orders.ts'
import type { MeetingQueue } from '../broadcast/meeting-queue.ts'
import { type FindOrderedDeps, findOrdered } from './find-ordered.ts'
import { type RecordStopDeps, recordStop } from './record-stop.ts'
import { StopOrderLoop, type StopOrderLoopDeps } from './stop-order-loop.ts'

export interface StopOrdersDeps
  extends Omit<FindOrderedDeps, 'runs' | 'operations' | 'queue' | 'orders'>,
    Omit<RecordStopDeps, 'orders' | 'runs' | 'operations' | 'queue'>,
    Pick<StopOrderLoopDeps, 'log' | 'replicas'> {
  store: Store
  directory: Pick<Directory, 'pull' | 'onWorkLeft'>
  runs: FindOrderedDeps['runs'] & RecordStopDeps['runs']
  operations: FindOrderedDeps['operations'] & RecordStopDeps['operations']
  queue: Pick<MeetingQueue<unknown, unknown>, 'inTurn' | 'startsUnderWay'>
}

/** Puts together what carries out the orders to stop. */
export function stopOrderLoop({ store, directory, ...deps }: StopOrdersDeps): StopOrderLoop {
  const orders = stopOrdersIn(store)
  return new StopOrderLoop({
    ...deps,
    orders,
    find: findOrdered({ ...deps, orders }),
    record: recordStop({ ...deps, orders }),
    refresh: () => directory.pull(),
    onWorkLeft: directory.onWorkLeft
  })
}
