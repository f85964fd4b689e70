import type { Operation } from '../domain/operation.ts'
import type { Replicas } from '../domain/replicas.ts'
import { Loop } from '../domain/values/clock.ts'
import { tellTrouble } from '../domain/values/tell-trouble.ts'
import { type MarkInterruptedDeps, markInterrupted } from '../lifecycle/operations/mark-interrupted.ts'
import type { ReconcileLoop } from '../lifecycle/operations/reconcile-loop.ts'
import type { Operations } from '../store/tables/operations.ts'

interface Log {
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
}

export interface TakeOverDeps extends MarkInterruptedDeps {
  operations: MarkInterruptedDeps['operations'] & Pick<Operations, 'unsettled'>
  replicas: Pick<Replicas, 'onBeat' | 'onLead' | 'standing'>
  reconcileLoop: Pick<ReconcileLoop, 'add'>
  /** Looks after webhooks of vendors that nobody has looked after yet. */
  resume(): Promise<void>
  log: Log
}

/** Takes over the open operations that nobody looks after. @param taken hears of each */
export function takeOver(
  deps: MarkInterruptedDeps,
  log: Pick<Log, 'warn'>,
  taken: (operation: Operation) => void
): Promise<void> {
  return markInterrupted(deps, operation => {
    const { id, kind } = operation
    log.warn({ event: 'operation_interrupted', operation: id, kind }, 'the outcome of an operation is unknown')
    taken(operation)
  })
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
  let isUnsure = false
  const loop = new Loop({
    async round() {
      if (isNew) await resume()
      isNew = false
      if (isUnsure) await lookAfterOurs()
      isUnsure = true
      await takeOver(deps, log, operation => reconcileLoop.add(operation))
      isUnsure = false
    },
    onTrouble: tellTrouble(
      log,
      'error',
      { event: 'take_over_failed' },
      'what another replica has left could not be taken over'
    )
  })
  /** After a round that failed: one may be this replica's although the answer to that was lost. Those that are known are not added twice. */
  async function lookAfterOurs(): Promise<void> {
    const { id } = replicas.standing()
    for (const operation of await deps.operations.unsettled())
      if (operation.owner === id && operation.state === 'unknown') reconcileLoop.add(operation)
  }

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
