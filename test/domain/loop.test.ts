import t from 'tap'
import { Loop, type LoopOptions } from '../../src/domain/values/clock.ts'
import { stayAwake } from '../support/awake.ts'
import { manualClock } from '../support/clock.ts'

/** The turn in which a round ends and the next pause begins. */
const turn = () => new Promise(resolve => setImmediate(resolve))

/** A loop whose pauses end when the test says so. */
function loopOf(options: LoopOptions) {
  const clock = manualClock()
  const pauses: { pauseMs: number; end(): void }[] = []
  const after = (pauseMs: number, callback: () => void) => {
    const pause = {
      pauseMs,
      end() {
        callOff()
        clock.advance(pauseMs)
        callback()
      }
    }
    const callOff = () => {
      if (pauses.includes(pause)) pauses.splice(pauses.indexOf(pause), 1)
    }
    pauses.push(pause)
    return callOff
  }
  return {
    loop: new Loop({ ...options, timing: { now: clock.monotonic, after } }),
    clock,
    pauses: () => pauses.map(({ pauseMs }) => pauseMs),
    async endPause() {
      pauses[0]?.end()
      await turn()
    }
  }
}

t.test('a loop waits, runs, and waits again', async t => {
  let rounds = 0
  const round = () => {
    rounds += 1
  }
  const { loop, pauses, endPause } = loopOf({ round, everyMs: 10 })
  t.strictSame(pauses(), [], 'nothing happens before its start')
  loop.start(3)
  t.strictSame([rounds, pauses()], [0, [3]])
  await endPause()
  t.strictSame([rounds, pauses()], [1, [10]])
  await endPause()
  t.strictSame([rounds, pauses()], [2, [10]])
})

t.test('the first pause of a loop is as long as the others, unless it is told otherwise', async t => {
  let rounds = 0
  const round = () => {
    rounds += 1
  }
  const usual = loopOf({ round, everyMs: 10 })
  usual.loop.start()
  t.strictSame([rounds, usual.pauses()], [0, [10]])
  const hasty = loopOf({ round, everyMs: 10 })
  hasty.loop.start(0)
  t.equal(rounds, 1)
})

t.test('rounds begin at even times and never overlap: a long one skips those that it overruns', async t => {
  for (const [tookMs, leftMs] of [
    [0, 10],
    [4, 6],
    [10, 10],
    [27, 3]
  ] as const) {
    const held = Promise.withResolvers<void>()
    let rounds = 0
    const round = () => {
      rounds += 1
      return held.promise
    }
    const { loop, clock, pauses } = loopOf({ round, everyMs: 10 })
    loop.start(0)
    await turn()
    t.strictSame([rounds, pauses()], [1, []])
    clock.advance(tookMs)
    held.resolve()
    await turn()
    t.strictSame([rounds, pauses()], [1, [leftMs]], `${tookMs} ms`)
  }
})

t.test(
  'wake runs a round at once instead of the one that was due, and behind one under way a single other',
  async t => {
    let held = Promise.withResolvers<void>()
    let rounds = 0
    const round = () => {
      rounds += 1
      return held.promise
    }
    const { loop, pauses } = loopOf({ round, everyMs: 10 })
    loop.start()
    loop.wake()
    t.strictSame([rounds, pauses()], [1, []])
    loop.wake()
    loop.wake()
    t.equal(rounds, 1)
    held.resolve()
    held = Promise.withResolvers()
    await turn()
    t.strictSame([rounds, pauses()], [2, []])
    held.resolve()
    await turn()
    t.strictSame([rounds, pauses()], [2, [10]])
  }
)

t.test('without a pause of its own a loop runs only when it is asked to', async t => {
  let rounds = 0
  const round = () => {
    rounds += 1
  }
  const { loop, pauses, endPause } = loopOf({ round })
  loop.wake(5)
  loop.wake(2)
  t.strictSame(pauses(), [5], 'a pause that is running stays')
  await endPause()
  t.strictSame([rounds, pauses()], [1, []])
  loop.wake(2)
  t.strictSame(pauses(), [2])
})

t.test('a pause that ends during a round leads to another round', async t => {
  const held = Promise.withResolvers<void>()
  let rounds = 0
  const round = () => {
    rounds += 1
    return held.promise
  }
  const { loop, endPause } = loopOf({ round })
  loop.wake()
  loop.wake(5)
  await endPause()
  t.equal(rounds, 1)
  held.resolve()
  await turn()
  t.equal(rounds, 2)
})

t.test('trouble is told once, until it is another one or a round went well, and the loop goes on', async t => {
  let trouble: string | null = 'disk full'
  const told: string[] = []
  const round = () => {
    if (trouble !== null) throw new Error(trouble)
  }
  const onTrouble = (error: unknown) => told.push((error as Error).message)
  const { loop, endPause } = loopOf({ round, everyMs: 10, onTrouble })
  loop.start()
  for (const now of ['disk full', 'disk full', 'gone', 'gone', null, 'gone']) {
    trouble = now
    await endPause()
  }
  t.strictSame(told, ['disk full', 'gone', 'gone'])
})

t.test('a closed loop runs no more, and its end waits for the round under way', async t => {
  const held = Promise.withResolvers<void>()
  let rounds = 0
  const round = () => {
    rounds += 1
    return held.promise
  }
  const { loop, pauses } = loopOf({ round, everyMs: 10 })
  loop.start(0)
  loop.wake()
  loop.wake(3)
  let isClosed = false
  const closing = loop.close().then(() => {
    isClosed = true
  })
  t.strictSame(pauses(), [])
  await turn()
  t.notOk(isClosed)
  held.resolve()
  await closing
  loop.wake()
  loop.wake(3)
  loop.start()
  t.strictSame([rounds, pauses()], [1, []])
})

t.test("the machine's own timer keeps no process alive", async t => {
  const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  const before = timers()
  let rounds = 0
  const ran = Promise.withResolvers<void>()
  const round = () => {
    rounds += 1
    if (rounds === 3) ran.resolve()
  }
  const loop = new Loop({ round, everyMs: 1 }).start()
  t.equal(timers(), before)
  stayAwake(t)
  await ran.promise
  await loop.close()
  t.equal(rounds, 3)
})
