import t from 'tap'
import { UnstoredEvents } from '../../src/audit/unstored.ts'
import type { AuditEvent } from '../../src/domain/audit/audit-event.ts'
import { stayAwake } from '../support/awake.ts'
import type { TestContext } from '../support/gateway.ts'

type State = 'waiting' | 'written' | 'lost'

/** A log whose lines become what the test says, and the events behind it. */
function world(t: TestContext, { maxWaiting = 10 } = {}) {
  let fate: State | 'silent' = 'written'
  const lines: { state: State }[] = []
  const told: object[] = []
  const output = {
    get last() {
      return lines.at(-1) ?? null
    },
    troubled: () => fate !== 'written'
  }
  const log = {
    error({ err: _err, ...facts }: { err?: unknown }) {
      told.push(facts)
      if (fate !== 'silent') lines.push({ state: fate })
    }
  }
  const events = new UnstoredEvents({ log, output, maxWaiting, offerEveryMs: 60_000 })
  t.teardown(() => events.close())
  return {
    events,
    told,
    lines,
    log(next: typeof fate) {
      fate = next
    },
    /** As its clock does every second. */
    offer: () => events.offer()
  }
}

const event = (n: number) => ({ time: n }) as AuditEvent
const unstored = (n: number) => ({ event: 'audit_event_unstored', audit_event: event(n) })

t.test('an event that the log has written is told once, and needs no more care', async t => {
  const { events, told, offer } = world(t)
  events.tell(event(1), 'not stored')
  offer()
  t.strictSame(told, [unstored(1)])
  t.equal(events.atRisk, 0)
})

t.test('an event that the log has lost is offered again until the log has it', async t => {
  const { events, told, log, offer } = world(t)
  log('lost')
  events.tell(event(1), 'not stored')
  events.tell(event(2), 'not stored')
  t.equal(events.atRisk, 2)
  offer()
  t.equal(told.length, 3, 'one is enough to see that there is no room')
  t.equal(events.atRisk, 2)
  log('written')
  offer()
  t.strictSame(told.slice(3), [unstored(1), unstored(2)])
  t.equal(events.atRisk, 0)
  offer()
  t.equal(told.length, 5)
})

t.test('a line that waits is not repeated, and those that came behind it come after it', async t => {
  const { events, told, lines, log, offer } = world(t)
  log('waiting')
  events.tell(event(1), 'not stored')
  log('lost')
  events.tell(event(2), 'not stored')
  t.equal(events.atRisk, 2)
  offer()
  t.strictSame(told.slice(2), [unstored(2)], 'where there is no room yet')
  const [first] = lines
  if (first !== undefined) first.state = 'written'
  log('waiting')
  offer()
  t.strictSame(told.slice(3), [unstored(2)])
  for (const line of lines) line.state = 'written'
  log('written')
  offer()
  t.equal(told.length, 4)
  t.equal(events.atRisk, 0)
})

t.test('an event that the store has by now is not offered again', async t => {
  const { events, told, log, offer } = world(t)
  log('lost')
  const one = event(1)
  events.tell(one, 'not stored')
  events.stored(one)
  t.equal(events.atRisk, 0)
  log('written')
  offer()
  t.equal(told.length, 1)
})

t.test('beyond its bound events are counted, and the log hears how many as soon as it can be written', async t => {
  const { events, told, log, offer } = world(t, { maxWaiting: 2 })
  log('lost')
  for (let n = 1; n <= 5; n++) events.tell(event(n), 'not stored')
  t.equal(events.atRisk, 5)
  log('written')
  offer()
  t.strictSame(told.slice(5), [unstored(1), unstored(2), { event: 'audit_events_beyond', events: 3 }])
  t.equal(events.atRisk, 0)
})

t.test('the count stays until its own line is written', async t => {
  const { events, told, log, offer } = world(t, { maxWaiting: 0 })
  log('lost')
  events.tell(event(1), 'not stored')
  offer()
  t.equal(events.atRisk, 1)
  log('written')
  offer()
  offer()
  t.strictSame(told.slice(1), [
    { event: 'audit_events_beyond', events: 1 },
    { event: 'audit_events_beyond', events: 1 }
  ])
})

t.test('a level at which nothing is logged holds no event up for ever: the store alone decides', async t => {
  const { events, told, log, offer } = world(t)
  log('silent')
  const one = event(1)
  events.tell(one, 'not stored')
  offer()
  events.stored(one)
  offer()
  t.equal(told.length, 2)
})

t.test('with a log of which nobody knows what it has written, each event is told once', async t => {
  const told: object[] = []
  const events = new UnstoredEvents({ log: { error: facts => told.push(facts) }, output: null })
  events.tell(event(1), 'not stored', new Error('full'))
  events.close()
  t.match(told, [{ err: { message: 'full' }, audit_event: event(1) }])
  t.equal(events.atRisk, 0)
})

t.test('it is offered again by itself', async t => {
  let state: State = 'lost'
  const lines: { state: State }[] = []
  const done = Promise.withResolvers<void>()
  const log = {
    error() {
      lines.push({ state })
      if (state === 'written') done.resolve()
    }
  }
  const output = { get last() { return lines.at(-1) ?? null }, troubled: () => state === 'lost' } // biome-ignore format: short
  const events = new UnstoredEvents({ log, output, offerEveryMs: 1 })
  events.tell(event(1), 'not stored')
  state = 'written'
  stayAwake(t)
  await done.promise
  events.close()
  t.equal(lines.length, 2)
})
