import t from 'tap'
import { compileOnce } from '../../../src/store/engine/engine.ts'
import { sqlFor } from '../../../src/store/schema/database.ts'

interface Wanted {
  tenantId: string
  limit: number
  name?: string | null
  newest: boolean
}

function query() {
  const sql = sqlFor('sqlite')
  let builds = 0
  const find = compileOnce(({ tenantId, limit, name, newest }: Wanted) => {
    builds += 1
    let wanted = sql.selectFrom('api_keys').select('id').where('tenant_id', '=', tenantId).where('revision', '>', 7)
    if (name === null) wanted = wanted.where('name', 'is', null)
    else if (name !== undefined) wanted = wanted.where('name', '=', name)
    return (newest ? wanted.orderBy('created_at', 'desc') : wanted).limit(limit).where('digest', '!=', tenantId)
  })
  return { find, builds: () => builds }
}

t.test('each value is in its places, however often it stands there', async t => {
  const { find, builds } = query()
  const { sql, parameters } = find({ tenantId: 'acme', limit: 5, newest: false })
  t.equal(
    sql,
    'select "id" from "api_keys" where "tenant_id" = ? and "revision" > ? and "digest" != ? limit ?',
    'as if it were compiled for this call'
  )
  t.strictSame(parameters, ['acme', 7, 'acme', 5])
  t.strictSame(find({ tenantId: 'globex', limit: 6, newest: false }).parameters, ['globex', 7, 'globex', 6])
  t.strictSame(parameters, ['acme', 7, 'acme', 5], 'what was given before is not touched')
  t.equal(builds(), 1, 'it is built once')
})

t.test('null, undefined and booleans decide what it looks like', async t => {
  const { find, builds } = query()
  const wanted = { tenantId: 'acme', limit: 5, newest: true }
  t.match(find(wanted).sql, /order by "created_at" desc limit/)
  t.match(find({ ...wanted, newest: false }).sql, /"digest" != \? limit/)
  t.match(find({ ...wanted, name: null }).sql, /"name" is null/)
  const named = find({ ...wanted, name: 'studio' })
  t.match(named.sql, /"name" = \?/)
  t.strictSame(named.parameters, ['acme', 7, 'studio', 'acme', 5])
  t.strictSame(find({ ...wanted, name: '' }).parameters, ['acme', 7, '', 'acme', 5], 'an empty text is a text')
  t.equal(builds(), 4)
})

t.test('zero is a value like any other', async t => {
  const { find } = query()
  t.strictSame(find({ tenantId: 'acme', limit: 0, newest: false }).parameters, ['acme', 7, 'acme', 0])
})
