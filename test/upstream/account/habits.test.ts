import t from 'tap'
import { Habits, inWords } from '../../../src/upstream/account/observed.ts'
import { accountOf, realtimekitAccountOf } from '../../support/account.ts'
import { manualClock } from '../../support/clock.ts'

const account = accountOf({ url: 'https://api.dyte.io/v2', org: 'o', key: 'k' })
const hourMs = 3_600_000

t.test("a vendor's failing where nothing is live is believed from the third time on, for an hour", async t => {
  const clock = manualClock()
  const habits = new Habits({ account, clock })
  for (const isBelieved of [false, false, true, true]) {
    habits.noteFailedWhenNothingWasLive()
    t.equal(habits.failsWhenNothingIsLive, isBelieved)
  }
  clock.advance(hourMs - 1)
  t.equal(habits.failsWhenNothingIsLive, true)
  clock.advance(1)
  t.equal(habits.failsWhenNothingIsLive, false)
  habits.noteFailedWhenNothingWasLive()
  t.equal(habits.failsWhenNothingIsLive, false, 'then it must be seen anew')
})

t.test('three times are no habit when hours lie between them, whoever looks meanwhile', async t => {
  const clock = manualClock()
  const habits = new Habits({ account, clock })
  for (let i = 0; i < 6; i++) {
    habits.noteFailedWhenNothingWasLive()
    clock.advance(hourMs)
  }
  habits.noteFailedWhenNothingWasLive()
  t.equal(habits.failsWhenNothingIsLive, false)
})

t.test('a vendor that says as it should that nothing is live fails for one meeting, and has no such habit', async t => {
  const clock = manualClock()
  const habits = new Habits({ account, clock })
  const fails = () => {
    for (let i = 0; i < 5; i++) habits.noteFailedWhenNothingWasLive()
    return habits.failsWhenNothingIsLive
  }
  t.equal(fails(), true)
  habits.noteSaidNothingIsLive()
  t.equal(habits.failsWhenNothingIsLive, false)
  clock.advance(hourMs - 1)
  t.equal(fails(), false)
  clock.advance(1)
  t.equal(fails(), true, 'it may have another habit by now')
})

t.test("a vendor's refusal of a second start is believed at once, and for good", async t => {
  const clock = manualClock()
  const habits = new Habits({ account, clock })
  t.equal(habits.refusesSecondStart, false)
  habits.noteSecondStartRefused()
  clock.advance(100 * hourMs)
  t.equal(habits.refusesSecondStart, true)
})

t.test("a vendor's count of all pages is believed at once, for an hour", async t => {
  const clock = manualClock()
  const habits = new Habits({ account, clock })
  t.equal(habits.countsBeyondPage, false)
  habits.noteCountedBeyondPage()
  clock.advance(hourMs - 1)
  t.equal(habits.countsBeyondPage, true)
  clock.advance(1)
  t.equal(habits.countsBeyondPage, false)
})

t.test('another one begins with the habits that were kept, at the same vendor alone', async t => {
  const clock = manualClock()
  clock.advance(10 * hourMs)
  const habits = new Habits({ account, clock })
  habits.noteSecondStartRefused()
  for (let i = 0; i < 3; i++) habits.noteFailedWhenNothingWasLive()
  clock.advance(600_000)
  const before = habits.kept()
  t.strictSame(before, { of: 'dyte api.dyte.io', refusesSecondStart: true, failsForMs: hourMs - 600_000 })

  const later = manualClock()
  const next = new Habits({ account, clock: later, before })
  t.match(next, { refusesSecondStart: true, failsWhenNothingIsLive: true })
  t.strictSame(next.kept(), before)
  later.advance(hourMs - 600_000)
  t.match(next, { refusesSecondStart: true, failsWhenNothingIsLive: false })

  for (const other of [
    accountOf({ url: 'https://api.realtime.cloudflare.com/v2', org: 'o', key: 'k' }),
    { ...account, provider: 'realtimekit' as const }
  ])
    t.match(new Habits({ account: other, clock, before }), { refusesSecondStart: false, failsWhenNothingIsLive: false })
  const endless = { ...before, failsForMs: 1e12 }
  t.equal(new Habits({ account, clock, before: endless }).kept().failsForMs, hourMs, 'and for no longer than an hour')
})

t.test('the name of the habits says nothing of the account', async t => {
  const clock = manualClock()
  const kit = realtimekitAccountOf({
    url: 'https://x.example/client/v4',
    account: 'ACCOUNT',
    app: 'APP',
    token: 'TOKEN'
  })
  t.equal(new Habits({ account: kit, clock }).kept().of, 'realtimekit x.example')
})

t.test('they can be told', async t => {
  t.strictSame(inWords({ refusesSecondStart: false, failsForMs: 0 }), [])
  t.equal(inWords({ refusesSecondStart: true, failsForMs: 1 }).length, 2)
})
