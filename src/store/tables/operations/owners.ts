import { sql as raw } from 'kysely'
import type { Operation } from '../../../domain/operation.ts'
import type { Engine } from '../../engine/engine.ts'
import type { Store } from '../../store.ts'
import { isOpen, toOperation } from './look-ups.ts'

/** The replica that writes a row, in the words of the store. A file has one gateway. */
export function writerOf({ dialect }: Pick<Engine, 'dialect'>) {
  return dialect === 'postgres' ? raw<string>`current_setting('livegate.writer')` : null
}

/** Open operations, and the replicas that carry them out. */
export function operationOwners({ engine, sql }: Store) {
  // Sorted, since they are few: in the order of the index of all ordinals SQLite would walk through what is settled.
  const open = sql.selectFrom('operations').selectAll().where(isOpen).orderBy(raw`ordinal + 0`).compile()
  const isNobodys = raw<boolean>`not exists (select 1 from livegate_writers w where w.id = operations.owner and w.serves)`

  return {
    /** Operations whose outcome is not known; after a restart also those that were under way when the last process ended. */
    async unsettled(): Promise<Operation[]> {
      return (await engine.read(open)).map(toOperation)
    },

    /**
     * Makes those this replica's whose owner serves the store no more, or was taken for dead. On a file that is all of them, since
     * nobody else serves it.
     */
    async takeOver(): Promise<Operation[]> {
      if (engine.dialect === 'sqlite') return (await engine.read(open)).map(toOperation)
      const someLeft = sql.selectFrom('operations').select('id').where(isOpen).where(isNobodys).limit(1)
      if ((await engine.read(someLeft.compile())).length === 0) return []
      const owner = writerOf(engine)
      const query = sql.updateTable('operations').set({ owner }).where(isOpen).where(isNobodys).returningAll()
      const [rows = []] = await engine.write([query.compile()])
      return (rows as unknown as Parameters<typeof toOperation>[0][])
        .toSorted((a, b) => (a.ordinal ?? 0) - (b.ordinal ?? 0))
        .map(toOperation)
    }
  }
}
