import t from 'tap'
import { waitBriefly } from '../../src/lifecycle/context.ts'

t.test('short work is waited for, and its failure is heard', async t => {
  let done = false
  await waitBriefly(
    new Promise<void>(resolve => {
      setImmediate(() => {
        done = true
        resolve()
      })
    })
  )
  t.ok(done)
  await t.rejects(waitBriefly(Promise.reject(new Error('full'))), { message: 'full' })
})

t.test('long work goes on by itself, and nobody hears how it ends', async t => {
  const work = Promise.withResolvers<void>()
  await waitBriefly(work.promise)
  work.reject(new Error('a rejection that nobody handles would end the process'))
  await new Promise(setImmediate)
  t.pass('the answer is long out')
})
