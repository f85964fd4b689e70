import t from 'tap'
import { type ChangeEndDeps, changeEnd } from '../../../src/lifecycle/ends/change-end.ts'
import { Conflict, StoreError } from '../../../src/store/engine/engine.ts'
import { limited } from '../../support/ends/limited.ts'
import { ledgerOf } from '../../support/ledger/ledger.ts'
import { place, seen } from '../../support/ledger/news.ts'
import { refusalOf } from '../../support/store/helper.ts'

/** A run that is INVOKED, and a decision of another process that is always faster. */
async function decisions(t: Parameters<typeof ledgerOf>[0]) {
  const { ledger, store, runs, rows, hub, clock } = await ledgerOf(t)
  await ledger.note(seen(clock.now(), 'INVOKED'))
  const [run] = await rows()
  if (run === undefined) throw new Error('there is a run')
  const deciding = (write: ChangeEndDeps['engine']['write']) =>
    changeEnd({ engine: { write }, runs, hub, openRuns: { forget() {} }, clock, settleMs: 30_000 })
  const { write } = store.engine
  /** States of the run that were decided about, one for each time. */
  const asked: string[] = []
  return { ledger, run, rows, clock, deciding, write, asked }
}

t.test('a decision about a run that was moved meanwhile is made anew, about the run as it is now', async t => {
  const { ledger, run, rows, clock, deciding, write, asked } = await decisions(t)
  const change = deciding(async statements => {
    if (asked.length === 1) await ledger.note(seen(clock.now(), 'LIVE'))
    return write(statements)
  })
  const after = await change(run, now => {
    asked.push(now.status)
    return { change: { spentAtMs: asked.length } }
  })
  t.strictSame(asked, ['invoked', 'live'])
  t.match(after, { status: 'live', spentAtMs: 2 })
  t.strictSame(await rows(), [after])
})

t.test('a decision that is overtaken each time is given up, and leaves the run to the others', async t => {
  const { run, rows, deciding, write, asked } = await decisions(t)
  const others = deciding(write)
  const change = deciding(async statements => {
    await others(run, () => ({ change: { spentAtMs: 1_000 + asked.length } }))
    return write(statements)
  })
  const refusal = await refusalOf(
    change(run, now => {
      asked.push(now.status)
      return { change: { spentAtMs: 1 } }
    })
  )
  t.ok(refusal instanceof Conflict)
  t.equal(asked.length, 5)
  t.match(await rows(), [{ ...place, spentAtMs: 1_005 }])
})

t.test('a decision that the store does not take is not made again, and the next one is not held up', async t => {
  const { run, rows, deciding, write, asked } = await decisions(t)
  let isBroken = true
  const change = deciding(statements => (isBroken ? Promise.reject(new StoreError('no disk')) : write(statements)))
  const decide = () => {
    asked.push('')
    return { change: { spentAtMs: 7 } }
  }
  const refusal = await refusalOf(change(run, decide))
  t.ok(refusal instanceof StoreError)
  t.equal(asked.length, 1)
  isBroken = false
  t.match(await change(run, decide), { spentAtMs: 7 })
  t.match(await rows(), [{ spentAtMs: 7 }])
})

t.test('wishes for one run that come at the same time are all fulfilled, one after the other', async t => {
  const { start, last, asAcme, events } = await limited(t, {}, { threads: true, slowDisk: true })
  await start({ max_duration_seconds: 60 })
  const path = `/gateway/runs/${(await last())?.id}`
  const wishes = Array.from({ length: 60 }, (_, i) => 600 + i)
  const replies = await Promise.all(wishes.map(max_duration_seconds => asAcme('PATCH', path, { max_duration_seconds })))
  t.strictSame(
    replies.map(({ statusCode, json }) => [statusCode, json().data?.max_duration_seconds]),
    wishes.map(wish => [200, wish])
  )
  const changes = (await events()).filter(({ api }) => api.operation === 'updateRun')
  t.strictSame(new Set(changes.map(({ unmapped }) => unmapped.outcome)), new Set(['done']))
  t.equal(changes.length, wishes.length)
})
