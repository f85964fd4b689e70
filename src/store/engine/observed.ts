import type { Observer } from '../../domain/observer.ts'
import { Conflict, type Engine, Expired, UniqueViolation } from './engine.ts'

type Heard = Pick<Observer, 'storeRead' | 'storeWrite' | 'storeFailed' | 'storeWriting'>

/** The same engine, which tells of its look-ups and transactions. */
export function observedEngine(engine: Engine, observer: Heard): Engine {
  return {
    ...engine,
    read: query => timed(() => engine.read(query), 'read', observer.storeRead),
    async write(statements, options) {
      observer.storeWriting(1)
      try {
        return await timed(() => engine.write(statements, options), 'write', observer.storeWrite)
      } finally {
        observer.storeWriting(-1)
      }
    }
  }

  async function timed<T>(
    work: () => Promise<T>,
    kind: 'read' | 'write',
    tell: (durationMs: number) => void
  ): Promise<T> {
    const begunAtMs = performance.now()
    try {
      const rows = await work()
      tell(performance.now() - begunAtMs)
      return rows
    } catch (error) {
      // A transaction that contradicts the store, or comes too late, says nothing of the store.
      const isAnswer = [UniqueViolation, Conflict, Expired].some(kind => error instanceof kind)
      if (!isAnswer) observer.storeFailed(kind)
      throw error
    }
  }
}
