import { sql as raw } from 'kysely'
import type { Operation } from '../../../domain/operation.ts'
import type { Engine, Statement } from '../../engine/engine.ts'
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
     * Those whose owner serves the store no more, or was taken for dead. On a file that is all of them, since nobody else serves it.
     */
    async left(): Promise<Operation[]> {
      const query = sql.selectFrom('operations').selectAll().where(isOpen).orderBy(raw`ordinal + 0`)
      const nobodys = engine.dialect === 'sqlite' ? query : query.where(isNobodys)
      return (await engine.read(nobodys.compile())).map(toOperation)
    },

    /** Makes one that is left this replica's. @throws Conflict, by the transaction, when it is somebody's by now, or settled */
    claimed(id: string): Statement[] {
      if (engine.dialect === 'sqlite') return []
      const query = sql.updateTable('operations').set({ owner: writerOf(engine) })
      return [{ ...query.where('id', '=', id).where(isOpen).where(isNobodys).compile(), changes: 1 }]
    }
  }
}
