import t from 'tap'
import fc from '../runner/properties.ts'
import { pairwise } from './pairwise.ts'

t.test('two factors meet in each of their combinations', async t => {
  const rows = pairwise({ colour: ['red', 'green'], size: [1, 2, 3] })
  t.equal(rows.length, 6)
  t.equal(new Set(rows.map(row => JSON.stringify(row))).size, 6)
})

t.test('every two values meet, in far fewer rows than there are combinations', async t => {
  const factor = fc.integer({ min: 1, max: 5 }).map(count => Array.from({ length: count }, (_, i) => i))
  const property = fc.property(fc.array(factor, { minLength: 2, maxLength: 8 }), lists => {
    const factors = Object.fromEntries(lists.map((list, i) => [`f${i}`, list]))
    const rows = pairwise(factors)
    const names = Object.keys(factors)
    for (const [i, one] of names.entries())
      for (const other of names.slice(i + 1))
        for (const a of factors[one] ?? [])
          for (const b of factors[other] ?? [])
            if (!rows.some(row => row[one] === a && row[other] === b)) throw new Error(`${one} ${a}, ${other} ${b}`)
    const [most = 1, next = 1] = lists.map(({ length }) => length).sort((a, b) => b - a)
    if (rows.some(row => Object.keys(row).length !== names.length)) throw new Error('a row is not complete')
    return rows.length <= most * next * 3
  })
  t.doesNotThrow(() => fc.assert(property, { numRuns: 100 }))
})

t.test('a pair that is not allowed stands in no row, and everything else meets all the same', async t => {
  const factors = { contract: ['L1', 'L2'], ended: [true, false], wait: [0, 1, 2] }
  const allows = (row: { contract?: string; ended?: boolean }) => !(row.contract === 'L1' && row.ended)
  const rows = pairwise(factors, allows)
  t.ok(rows.every(allows))
  for (const wait of factors.wait) {
    t.ok(rows.some(row => row.wait === wait && row.ended))
    t.ok(rows.some(row => row.wait === wait && row.contract === 'L1'))
  }
  t.throws(() => pairwise({ a: [1], b: [1], c: [1] }, row => Object.keys(row).length < 3), /no c goes with/)
})
