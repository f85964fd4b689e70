import { globSync } from 'node:fs'
import t from 'tap'
import { noPostgres, postgresBin } from '../support/postgres/server.ts'
import { usePostgres } from '../support/postgres/stores.ts'
import { group } from '../support/runner/group.ts'

/** Tests of whole gateways that are about what the store has to hold. */
const both = ['http/request/idempotency-key', 'http/routes/runs', 'lifecycle/broadcast/start', 'lifecycle/ends/caps']

if (postgresBin === null) t.test('gateways on PostgreSQL', { skip: noPostgres }, t => t.end())
else {
  usePostgres()
  group(globSync(`test/{${both.join(',')}}.test.ts`).sort())
}
