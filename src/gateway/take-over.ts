import type { Operation } from '../domain/operation.ts'
import type { Replicas } from '../domain/replicas.ts'
import { Loop } from '../domain/values/clock.ts'
import { tellTrouble } from '../domain/values/tell-trouble.ts'
import { type MarkInterruptedDeps, markInterrupted } from '../lifecycle/operations/mark-interrupted.ts'
import type { ReconcileLoop } from '../lifecycle/operations/reconcile-loop.ts'

interface Log {
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
}

export interface TakeOverDeps extends MarkInterruptedDeps {
  replicas: Pick<Replicas, 'onBeat' | 'onLead'>
  reconcileLoop: Pick<ReconcileLoop, 'add'>
  /** Looks after webhooks of vendors that nobody has looked after yet. */
  resume(): Promise<void>
  log: Log
}

/** Takes over the open operations that nobody looks after, and says which they are. */
export async function takeOver(deps: MarkInterruptedDeps, log: Pick<Log, 'warn'>): Promise<Operation[]> {
  const left = await markInterrupted(deps)
  for (const { id, kind } of left)
    log.warn({ event: 'operation_interrupted', operation: id, kind }, 'the outcome of an operation is unknown')
  return left
}

/** While this replica leads, it looks after what others leave that end, or fall silent. Gives back what ends that. */
export function takeOverWhileLeading({
  replicas,
  reconcileLoop,
  resume,
  log,
  ...deps
}: TakeOverDeps): () => Promise<void> {
  let isNew = false
  const loop = new Loop({
    async round() {
      if (isNew) await resume()
      isNew = false
      for (const operation of await takeOver(deps, log)) reconcileLoop.add(operation)
    },
    onTrouble: tellTrouble(
      log,
      'error',
      { event: 'take_over_failed' },
      'what another replica has left could not be taken over'
    )
  })
  const ends = [
    replicas.onLead(() => {
      isNew = true
    }),
    replicas.onBeat(() => loop.wake())
  ]
  return () => {
    for (const end of ends) end()
    return loop.close()
  }
}
