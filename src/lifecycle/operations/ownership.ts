import type { Operation } from '../../domain/operation.ts'
import type { Replicas } from '../../domain/replicas.ts'
import { sentOnlyWhile } from '../../domain/values/sending.ts'

/**
 * The owners of operations that this process looks after, as their rows have said last. Nothing more is sent for one that another replica has
 * taken over, though it may still be settled.
 */
export class Ownership {
  readonly #replicas: Pick<Replicas, 'owns' | 'isMine'>
  readonly #owners = new WeakMap<Operation, string | null>()

  constructor(replicas: Pick<Replicas, 'owns' | 'isMine'>) {
    this.#replicas = replicas
  }

  /** Takes note of the row; null for one that waits to be written, as that of a stop that went on without the store. */
  note(operation: Operation, row: Pick<Operation, 'owner'> | null): void {
    if (row !== null) this.#owners.set(operation, row.owner)
  }

  /** Whether something may be sent for it now. */
  isOurs(operation: Operation): boolean {
    const owner = this.#owners.get(operation)
    return owner === undefined || this.#replicas.owns(owner)
  }

  /** Whether another replica looks after it. */
  isOthers(operation: Operation): boolean {
    const owner = this.#owners.get(operation)
    return owner !== undefined && !this.#replicas.isMine(owner)
  }

  /** Bounds what is sent for it: nothing goes out once it may be another replica's. */
  bound(operation: Operation, signal: AbortSignal): AbortSignal {
    return sentOnlyWhile(signal, () => this.isOurs(operation))
  }
}
