import { getEventListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { deadlines } from '../../src/lifecycle/context.ts'

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
