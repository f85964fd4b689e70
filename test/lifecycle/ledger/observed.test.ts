import t from 'tap'
import { observedEnds } from '../../../src/lifecycle/ledger/observed.ts'
import { ledgerOf } from '../../support/ledger/ledger.ts'
import { seen, stopped } from '../../support/ledger/news.ts'

t.test('the end of a run is told once, with who ended it and how long it was live', async t => {
  const { ledger, hub, clock } = await ledgerOf(t)
  const told: [string, number][] = []
  observedEnds(hub, { runEnded: (reason, liveForMs) => void told.push([reason, liveForMs]) })
  observedEnds(hub, undefined)
  await ledger.note(seen(clock.now(), 'LIVE'))
  t.strictSame(told, [])
  clock.advance(90_000)
  await ledger.note(stopped(clock.now()))
  await ledger.note(stopped(clock.now()))
  t.match(told, [['tenant', 90_000]])
  t.equal(told.length, 1)
})
