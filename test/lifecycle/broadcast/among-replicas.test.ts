import t from 'tap'
import type { MeetingTurn, MeetingTurns } from '../../../src/domain/meeting-turns.ts'
import { mayBeSent } from '../../../src/domain/values/sending.ts'
import { amongReplicas } from '../../../src/lifecycle/broadcast/among-replicas.ts'
import { MeetingQueue } from '../../../src/lifecycle/broadcast/meeting-queue.ts'
import { StoreError } from '../../../src/store/engine/engine.ts'
import { manualClock } from '../../support/clock.ts'
import { refusalOf } from '../../support/store/helper.ts'

const deadlineMs = 10_000
const meeting = { id: 'm1', tenantId: 'acme', upstream: 'default' }

/** Turns as the test gives them: each that is taken and not null is ended once. */
function world({ take, recall = async () => {} }: { take: MeetingTurns['take']; recall?: () => Promise<void> }) {
  const clock = manualClock()
  const waits: unknown[] = []
  const turns: MeetingTurns = {
    take(place, kind, waitMs) {
      waits.push([kind, waitMs])
      return take(place, kind, waitMs)
    }
  }
  const queue = new MeetingQueue<unknown, unknown>(clock)
  const among = amongReplicas({ replicas: { isOnly: false, turns }, recallOthers: recall, queue, deadlineMs })
  return { among, waits }
}

function turnThat(lastsMs: number) {
  let ends = 0
  const turn: MeetingTurn = { lastsFor: ms => ms < lastsMs, end: () => void ends++ }
  return { turn, ends: () => ends }
}

t.test('a start has the turn of its meeting, or is not sent', async t => {
  const { turn, ends } = turnThat(30_000)
  const { among, waits } = world({ take: async () => turn })
  const signal = AbortSignal.timeout(60_000)
  {
    using held = await among.start(meeting)
    t.ok(held.waited, 'so that permission is asked for again')
    held.bound(signal)
    t.ok(mayBeSent(signal))
    t.equal(ends(), 0)
  }
  t.equal(ends(), 1)
  t.strictSame(waits, [['start', { start: deadlineMs, stop: deadlineMs }]])

  const short = turnThat(deadlineMs)
  using late = await world({ take: async () => short.turn }).among.start(meeting)
  const other = AbortSignal.timeout(60_000)
  late.bound(other)
  t.notOk(mayBeSent(other), 'nothing goes out whose call may outlast the turn')

  const refused = await refusalOf(world({ take: async () => null }).among.start(meeting))
  t.match(refused, { type: 'start_unsettled', outcome: 'not_sent' })
  const away = async () => Promise.reject(new StoreError('away'))
  t.match(await refusalOf(world({ take: away }).among.start(meeting)), { outcome: 'not_sent', status: 503 })
  const unknown = turnThat(30_000)
  const blind = world({ take: async () => unknown.turn, recall: away })
  t.match(await refusalOf(blind.among.start(meeting)), { outcome: 'not_sent', status: 503 })
  t.equal(unknown.ends(), 1, 'it does not keep what it cannot use')
})

t.test('a stop goes on without a turn, and without the store', async t => {
  const { among, waits } = world({ take: async () => null })
  const signal = AbortSignal.timeout(60_000)
  using held = await among.stop(meeting)
  held.bound(signal)
  t.ok(mayBeSent(signal))
  t.strictSame(waits, [['stop', { start: deadlineMs, stop: 250 }]])
  const away = async () => Promise.reject(new StoreError('away'))
  using other = await world({ take: away, recall: away }).among.stop(meeting)
  t.ok(other.waited)
})

t.test('work that nobody waits for has its turn at once, or comes again later', async t => {
  const { turn, ends } = turnThat(30_000)
  const { among, waits } = world({ take: async () => turn })
  t.equal(await among.queue.inTurn('default/m1', async () => 'done'), 'done')
  t.equal(ends(), 1)
  t.strictSame(waits, [['stop', { start: 0, stop: 0 }]])
  const busy = world({ take: async () => null }).among.queue.inTurn('default/m1', async () => 'done')
  t.match(await refusalOf(busy), { type: 'stop_under_way' })
})
