import t from 'tap'
import { shapeOf } from '../../../src/commands/doctor/probe/answers.ts'

t.test('a shape has the names of fields, and nothing that stands in them', async t => {
  t.equal(shapeOf({ success: true, data: { id: 'secret', name: null } }), '{success, data {id, name null}}')
  t.equal(shapeOf({ data: [{ id: 1 }, { id: 2 }], paging: {} }), '{data [2 × {id}], paging {}}')
  t.equal(shapeOf({ 'e01f2c9a-0d52-4f5e-9c0e-3b6a5d6b7a01': 1, sk_1: 2 }), '{?, ?}')
  t.equal(shapeOf({ a: { b: { c: { d: { e: 1 } } } } }), '{a {b {c {d …}}}}')
  t.equal(shapeOf(undefined), 'nothing that is JSON')
  t.equal(shapeOf('secret'), 'string')
  t.equal(shapeOf(null), 'null')
  t.equal(shapeOf([]), '[]')
})
