import { globSync } from 'node:fs'
import t from 'tap'
import { noPostgres, postgresBin } from '../support/postgres/server.ts'
import { usePostgres } from '../support/postgres/stores.ts'
import { group } from '../support/runner/group.ts'

const both = ['tables/*', 'memory/*', 'schema/{spelling,migrations-chain,migrations-order}']

if (postgresBin === null) t.test('tables, memory and schema on PostgreSQL', { skip: noPostgres }, t => t.end())
else {
  usePostgres()
  group(globSync(`test/store/{${both.join(',')}}.test.ts`).sort())
}
