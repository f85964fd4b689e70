import t from 'tap'
import type { RunChange } from '../../../src/lifecycle/ledger/hub.ts'
import { StoreError } from '../../../src/store/engine/engine.ts'
import { ledgerOf } from '../../support/ledger/ledger.ts'
import { gone, place, refused, seen, sent, started, stopped } from '../../support/ledger/news.ts'
import { until } from '../../support/until.ts'

t.test('a start has its row with its intent, and what it came to with its outcome', async t => {
  const { ledger, store, rows, hub, events, clock } = await ledgerOf(t)
  const changes: RunChange[] = []
  hub.subscribe(some => void changes.push(...some))
  const { rows: statements, sent: begun } = ledger.start(sent(clock.now()) as never)
  await store.engine.write(statements)
  begun()
  t.match(await rows(), [{ id: 'run of op-1', status: 'starting', operationId: 'op-1', revision: 1 }])

  const outcome = await ledger.prepare(started(clock.now()))
  t.match(outcome.run, { id: 'run of op-1', livestreamId: 'ls-1', status: 'invoked' })
  t.match(await rows(), [{ status: 'starting' }], 'it is written with the outcome, and not before')
  await store.engine.write(outcome.statements)
  await outcome.committed()
  t.match(await rows(), [{ id: 'run of op-1', livestreamId: 'ls-1', status: 'invoked' }])
  t.match(await events.after(0, { limit: 9 }), [{ type: 'livestream.starting', runId: 'run of op-1', seq: 1 }])
  t.strictSame(
    changes.map(({ run, events }) => [run.status, ...events.map(({ type }) => type)]),
    [['starting'], ['invoked', 'livestream.starting']]
  )
})

t.test('the row of a start whose intent came too late is closed with it', async t => {
  const { ledger, store, rows, clock } = await ledgerOf(t)
  const { rows: statements, unsent } = ledger.start(sent(clock.now()) as never)
  await store.engine.write([...statements, ...unsent])
  t.match(await rows(), [{ status: 'errored', endedBy: null, livestreamId: null }])
})

t.test('moves that come too late for their transaction break nothing, and are made behind it', async t => {
  const { ledger, store, rows, clock, events } = await ledgerOf(t)
  await store.engine.write(ledger.start(sent(clock.now()) as never).rows)
  const outcome = await ledger.prepare(started(clock.now()))
  // A reader has seen the run meanwhile.
  await ledger.note(seen(clock.now(), 'LIVE'))
  await store.engine.write(outcome.statements)
  t.match(await rows(), [{ status: 'live', revision: 2 }])
  await outcome.committed()
  t.match(await rows(), [{ status: 'live', livestreamId: 'ls-1', operationId: 'op-1' }])
  t.strictSame(
    (await events.after(0, { limit: 9 })).map(({ type }) => type),
    ['livestream.live'],
    'the event of the move that was not made is not there'
  )
  const twice = await ledger.prepare({ ...started(clock.now(), 'ls-2', 'op-2') })
  await ledger.note(seen(clock.now(), 'LIVE', { livestreamId: 'ls-2' }))
  await store.engine.write(twice.statements)
  await twice.committed()
  t.match(
    await rows(),
    [{ livestreamId: 'ls-1' }, { livestreamId: 'ls-2', operationId: 'op-2' }],
    'a row is found, not made again'
  )
  t.equal((await rows()).length, 2)
})

t.test('two processes that see the same run make one row and one event of it', async t => {
  const { ledger, newLedger, rows, events, clock } = await ledgerOf(t)
  const other = newLedger()
  t.teardown(() => other.close())
  const ledgers = [ledger, other]
  for (const status of ['INVOKED', 'LIVE', 'IDLE'])
    await Promise.all(ledgers.map(one => one.note(seen(clock.now(), status))))
  t.match(await rows(), [{ status: 'ended' }])
  t.equal((await rows()).length, 1)
  t.strictSame(
    (await events.after(0, { limit: 9 })).map(({ type }) => type),
    ['livestream.starting', 'livestream.live', 'livestream.ended']
  )
})

t.test('a sighting that was asked for before our own last action, or before another look, is late', async t => {
  const { ledger, rows, clock } = await ledgerOf(t)
  const askedAtMs = clock.monotonic()
  clock.advance(1_000)
  await ledger.note(seen(clock.now(), 'LIVE'))
  await ledger.note(seen(clock.now(), 'IDLE'), askedAtMs)
  t.match(await rows(), [{ status: 'live' }], 'a look from before was slower than this one')
  clock.advance(1_000)
  await ledger.note(stopped(clock.now()))
  clock.advance(60_000)
  await ledger.note(seen(clock.now(), 'LIVE'), askedAtMs)
  t.equal((await rows()).length, 1)
  await ledger.note(seen(clock.now(), 'LIVE'))
  t.equal((await rows()).length, 2)
})

t.test('a sighting that changes nothing asks the store once in five seconds', async t => {
  const { ledger, runs, rows, clock } = await ledgerOf(t)
  let asked = 0
  const concerned = runs.concerned
  runs.concerned = news => {
    asked += 1
    return concerned(news)
  }
  const look = async (status: string, times: number): Promise<number> => {
    const before = asked
    for (let i = 0; i < times; i++) {
      clock.advance(100)
      await ledger.note(status === '' ? gone(clock.now(), null) : seen(clock.now(), status))
    }
    return asked - before
  }
  t.equal(await look('', 20), 1, 'nothing runs')
  t.equal(await look('LIVE', 20), 2)
  clock.advance(5_000)
  t.equal(await look('LIVE', 20), 1)
  t.equal(await look('INVOKED', 20), 1, 'an answer that lags')
  t.ok((await look('', 5)) >= 2, 'each look that shows nothing of a run counts')
  t.match(await rows(), [{ quietLooks: 1 }])
})

t.test('the end of a run that a look shows is that of the stop which is open', async t => {
  const { ledger, rows, told, clock } = await ledgerOf(t)
  await ledger.note(seen(clock.now(), 'LIVE'))
  told.ender = 'tenant'
  await ledger.note(seen(clock.now(), 'IDLE'))
  t.match(await rows(), [{ status: 'ended', endedBy: 'tenant' }])
})

t.test(
  'a store that fails holds up nobody: own news is written as soon as it can be, a sighting is left to the next look',
  async t => {
    const { ledger, rows, engine, store, logged, clock } = await ledgerOf(t)
    await store.engine.write(ledger.start(sent(clock.now()) as never).rows)
    let broken = true
    engine.write = statements => (broken ? Promise.reject(new StoreError('no disk')) : store.engine.write(statements))
    await ledger.note(seen(clock.now(), 'LIVE', { livestreamId: 'ls-9' }))
    await ledger.note(started(clock.now()))
    clock.advance(1_000)
    await ledger.note(stopped(clock.now(), null))
    t.ok(logged.includes('what was seen of a run could not be kept'))
    t.ok(logged.includes('a move of a run could not be written: it is tried again'))
    t.match(await rows(), [{ status: 'starting' }])
    broken = false
    await until(async () => (await rows()).every(({ status }) => status === 'ended'))
    t.match(await rows(), [{ livestreamId: 'ls-1', endedBy: 'tenant' }])
  }
)

t.test('a stop that is written late does not end what began after it', async t => {
  const { ledger, rows, engine, store, clock } = await ledgerOf(t)
  await ledger.note(seen(clock.now(), 'LIVE'))
  let broken = true
  const { write } = store.engine
  engine.write = statements => (broken ? Promise.reject(new StoreError('no disk')) : write(statements))
  await ledger.note(stopped(clock.now(), null))
  clock.advance(1_000)
  // Another process has the store.
  await write(ledger.start(sent(clock.now()) as never).rows)
  const begun = await ledger.prepare(started(clock.now(), 'ls-2'))
  await write(begun.statements)
  broken = false
  await until(async () => (await rows()).some(({ status }) => status === 'ended'))
  t.match(await rows(), [
    { livestreamId: 'ls-1', status: 'ended' },
    { livestreamId: 'ls-2', status: 'invoked' }
  ])
})

t.test('the end of the process writes what is late, and a listener that throws hears no more than others', async t => {
  const { ledger, rows, engine, store, hub, logged, clock } = await ledgerOf(t)
  await ledger.note(seen(clock.now(), 'LIVE'))
  engine.write = () => Promise.reject(new StoreError('no disk'))
  await ledger.note({ ...place, ...refused(clock.now(), 'op-9') })
  await ledger.note(stopped(clock.now()))
  engine.write = store.engine.write
  let heard = 0
  hub.subscribe(() => {
    throw new Error('a bad listener')
  })
  const leave = hub.subscribe(() => void heard++)
  await ledger.close()
  t.match(await rows(), [{ status: 'ended' }])
  t.equal(heard, 1)
  t.ok(logged.includes('a listener to the events of runs has failed'))
  leave()
  hub.committed([{ run: (await rows())[0] as never, events: [] }])
  t.equal(heard, 1)
})
