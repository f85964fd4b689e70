import { getEventListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { mayBeSent, sentOnlyWhile } from '../../src/domain/values/sending.ts'
import { deadlines } from '../../src/lifecycle/context.ts'
import { manualClock } from '../support/clock.ts'

function world({ deadlineMs = 60_000 } = {}) {
  const ending = new AbortController()
  const asked = new AbortController()
  /** Work that goes on until it is told to end; gives the reason. */
  const untilEnded = (signal: AbortSignal) =>
    new Promise<unknown>(resolve => {
      if (signal.aborted) resolve(signal.reason)
      else signal.addEventListener('abort', () => resolve(signal.reason))
    })
  return { ending, asked, untilEnded, ...deadlines(deadlineMs, ending.signal) }
}

t.test('work that takes too long is ended, and the reason says so', async t => {
  const { asked, bounded, deadline, untilEnded } = world({ deadlineMs: 10 })
  t.match(await bounded(untilEnded, asked), { name: 'TimeoutError' }, 'as for a failing vendor')
  const kept = setInterval(() => {}, 1_000) // the timer of a mutation holds no process back
  t.match(await untilEnded(deadline()), { name: 'TimeoutError' })
  clearInterval(kept)
})

t.test('calls that are under way end with the gateway, and so do those that come after', async t => {
  const { ending, asked, bounded, deadline, untilEnded } = world()
  const mutation = deadline()
  const underWay = bounded(untilEnded, asked)
  ending.abort('no time')
  t.equal(await underWay, 'no time')
  t.equal(mutation.reason, 'no time')
  t.equal(await bounded(untilEnded), 'no time')
})

t.test('the caller may end its work', async t => {
  const { asked, bounded, untilEnded } = world()
  const underWay = bounded(untilEnded, asked)
  asked.abort('nobody waits')
  t.equal(await underWay, 'nobody waits')
})

t.test('nothing is left of work that is done, or has failed', async t => {
  const { ending, asked, bounded } = world({ deadlineMs: 10 })
  t.equal(await bounded(async () => 'live', asked), 'live')
  await t.rejects(
    bounded(async () => {
      throw new Error('over')
    }, asked),
    { message: 'over' }
  )
  await sleep(30)
  ending.abort()
  t.notOk(asked.signal.aborted)
  t.equal(getEventListeners(ending.signal, 'abort').length, 1, 'one listener for all')
})

t.test('nothing is sent behind a deadline, however late its timer is, nor once another condition has ended', t => {
  const clock = manualClock()
  const { deadline, limitTime } = deadlines(10_000, new AbortController().signal, clock)
  using limit = limitTime()
  let isOurs = true
  const signals = [deadline(), limit.signal, sentOnlyWhile(deadline(), () => isOurs)]
  const sendable = () => signals.map(mayBeSent)
  clock.advance(9_999)
  t.strictSame(sendable(), [true, true, true])
  isOurs = false
  t.strictSame(sendable(), [true, true, false])
  clock.advance(1)
  t.strictSame(sendable(), [false, false, false])
  t.strictSame(mayBeSent(AbortSignal.abort()), false)
  t.end()
})
