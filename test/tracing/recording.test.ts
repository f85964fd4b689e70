import { createServer, type Socket } from 'node:net'
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'
import t from 'tap'
import { Secret } from '../../src/domain/values/secret.ts'
import { openRecording } from '../../src/tracing/recording.ts'
import { SpanExport } from '../../src/tracing/span-export.ts'
import { manualClock } from '../support/clock.ts'
import { listen } from '../support/listen.ts'
import { collector } from '../support/tracing/collector.ts'
import { until } from '../support/until.ts'

const parent = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', sampled: true }
const span = {} as ReadableSpan

t.test('so many traces are recorded in any second, and the rest is passed on', async t => {
  const { url, spans } = await collector(t)
  const clock = manualClock()
  const headers = new Secret('x-token=a%20b, x-odd=50%,')
  const tracing = openRecording({ url, headers, serviceName: 'test', clock, onTrouble() {}, mostPerSecond: 2 })
  const begin = () => tracing.ofCall(parent, 'call', {}, Date.now())
  const recorded = () => {
    const call = begin()
    call?.span?.end()
    return call?.span != null
  }
  t.strictSame([recorded(), recorded(), recorded()], [true, true, false])
  t.match(begin(), { id: parent.traceId, parent: `00-${parent.traceId}-${parent.spanId}-01`, span: null })
  t.equal(tracing.ofCall(null, 'call', {}, Date.now()), null)
  t.equal(await tracing.behind(null, 'reconciliation', {}, async () => 'done all the same'), 'done all the same')
  clock.advance(999)
  t.equal(recorded(), false)
  clock.advance(1)
  t.strictSame([recorded(), recorded(), recorded()], [true, true, false])
  await tracing.close()
  t.equal(spans().length, 4)
  t.equal(tracing.lost, 0)
})

t.test('a collector that takes what it is sent, and never answers, does not hold up the end', async t => {
  const sent = Promise.withResolvers<void>()
  const sockets: Socket[] = []
  const silent = createServer(socket => {
    sockets.push(socket.on('error', () => {}))
    socket.once('data', () => sent.resolve())
  })
  const url = `http://127.0.0.1:${await listen(t, silent)}/v1/traces`
  t.teardown(() => sockets.forEach(socket => void socket.destroy()))
  const options = { headers: new Secret(''), serviceName: 'test', clock: manualClock(), closeWithinMs: 20 }
  const tracing = openRecording({ url, ...options, onTrouble() {} })
  tracing.ofCall(null, 'call', {}, Date.now())?.span?.end()
  const closed = tracing.close()
  await Promise.all([sent.promise, closed])
  t.equal(tracing.lost, 0, 'nobody has said yet that it is lost')
})

t.test('a span that finds no room, or is not taken, is lost and counted', async t => {
  const answers: ((result: ExportResult) => void)[] = []
  const batches: number[] = []
  const troubles: unknown[] = []
  const spans = new SpanExport(
    {
      export(batch, done) {
        batches.push(batch.length)
        answers.push(done)
      },
      async shutdown() {}
    },
    60_000,
    error => troubles.push(error)
  )
  for (let i = 0; i < 512; i++) spans.onEnd(span)
  t.strictSame(batches, [512], 'a whole batch goes at once')
  for (let i = 0; i < 5_000; i++) spans.onEnd(span)
  t.equal(spans.lost, 5_000 - 4_096)
  t.strictSame(batches, [512], 'and the next one waits for it')
  const refused = spans.lost
  answers.shift()?.({ code: ExportResultCode.FAILED })
  const closed = spans.shutdown()
  while (batches.length < 9) {
    await new Promise(setImmediate)
    answers.shift()?.({ code: ExportResultCode.SUCCESS })
  }
  answers.shift()?.({ code: ExportResultCode.SUCCESS })
  await closed
  t.equal(spans.lost, refused + 512)
  t.match(troubles, [/spans end faster/, /the collector did not take them/])
  t.equal(
    batches.reduce((sum, size) => sum + size),
    512 + 4_096
  )
})

t.test('a collector whose answer has no end has its time, as others have', async t => {
  const troubles: unknown[] = []
  const spans = new SpanExport({ export() {}, async shutdown() {} }, 1, error => troubles.push(error))
  for (let i = 0; i < 512; i++) spans.onEnd(span)
  await until(() => spans.lost === 512)
  t.match(troubles, [/within 1 ms/])
  await spans.shutdown()
})
