import { spawnSync } from 'node:child_process'
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { BoundedLog, type BoundedLogOptions, openLogOutput, type Sink } from '../../src/log/log-output.ts'
import { until } from '../support/until.ts'

const failure = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code })

/** A destination that does as it is told: takes all, so many bytes, or fails. */
function destination(options: Omit<BoundedLogOptions, 'sink'> = {}) {
  let taken = Buffer.alloc(0)
  let mood: 'well' | number | string = 'well'
  let nowMs = 0
  let calls = 0
  const sink: Sink = (bytes, done) => {
    calls++
    if (typeof mood === 'string' && mood !== 'well') return done(failure(mood), 0)
    const count = mood === 'well' ? bytes.length : Math.min(mood as number, bytes.length)
    taken = Buffer.concat([taken, bytes.subarray(0, count)])
    done(null, count)
  }
  const log = new BoundedLog({ sink, now: () => nowMs, retryAfterMs: 1, ...options })
  return {
    log,
    text: () => taken.toString(),
    calls: () => calls,
    is(next: typeof mood) {
      mood = next
    },
    advance(ms: number) {
      nowMs += ms
    }
  }
}

t.test('a line is written before the call comes back, whole and in order', async t => {
  const { log, text, is } = destination()
  t.equal(log.last, null)
  log.write('one\n')
  t.equal(text(), 'one\n')
  is(3)
  log.write('öäü\n')
  log.write('three\n')
  t.equal(text(), 'one\nöäü\nthree\n', 'also by a destination that takes three bytes at a time')
  t.match(log.last, { state: 'written' })
  t.notOk(log.troubled())
})

for (const code of ['ENOSPC', 'EIO', 'EPIPE', 'EFBIG', 'EAGAIN']) {
  t.test(`${code}: nothing throws, lines wait, and are written when it has passed`, async t => {
    const { log, text, is } = destination()
    is(code)
    log.write('one\n')
    const line = log.last
    log.write('two\n')
    t.equal(line?.state, 'waiting')
    t.equal(log.troubled(), code !== 'EAGAIN', 'a reader may be slow for a moment')
    is('well')
    await until(() => text() === 'one\ntwo\n')
    t.equal(line?.state, 'written')
    t.notOk(log.troubled())
    t.equal(log.lost, 0)
  })
}

t.test('beyond its bound the lines that come are lost, and one line says how many', async t => {
  const { log, text, is } = destination({ maxWaitingBytes: 10 })
  is('ENOSPC')
  for (const line of ['one\n', 'two\n', 'three\n', 'four\n']) log.write(line)
  t.equal(log.last?.state, 'lost')
  t.equal(log.lost, 2)
  t.equal(log.unwritten, 4)
  is('well')
  await until(() => text().split('\n').length > 3)
  const [one, two, told] = text().split('\n')
  t.strictSame([one, two], ['one', 'two'])
  t.match(JSON.parse(told ?? ''), { level: 40, time: Number, lost: 2, msg: /^log lines were lost/ })
  t.equal(log.lost, 2)
  t.equal(log.unwritten, 0)
  t.notOk(log.troubled())
})

t.test('a reader that does not read is trouble after a second, and at once when lines are lost', async t => {
  const { log, is, advance } = destination({ maxWaitingBytes: 10 })
  is(0)
  log.write('one\n')
  advance(1_000)
  t.notOk(log.troubled())
  advance(1)
  t.ok(log.troubled())
  is('EAGAIN')
  const other = destination({ maxWaitingBytes: 10 })
  other.is('EAGAIN')
  other.log.write('one\n')
  other.log.write('too long for it\n')
  t.ok(other.log.troubled())
})

t.test('a write that never comes back holds up nobody', async t => {
  let nowMs = 0
  const log = new BoundedLog({ sink() {}, now: () => nowMs, maxWaitingBytes: 10 })
  for (const line of ['one\n', 'two\n', 'three\n']) log.write(line)
  t.equal(log.lost, 1)
  nowMs = 1_001
  t.ok(log.troubled())
  const flushed = log.flush(500)
  nowMs += 500
  await flushed
})

t.test('a line that was written in part goes on where it stopped; for another reader it begins again', async t => {
  for (const [code, wanted] of [
    ['ENOSPC', 'abcd\n'],
    ['EPIPE', 'ababcd\n']
  ] as const) {
    let text = ''
    let call = 0
    const sink: Sink = (bytes, done) => {
      call++
      if (call === 2) return done(failure(code), 0)
      const some = call === 1 ? bytes.subarray(0, 2) : bytes
      text += some
      done(null, some.length)
    }
    new BoundedLog({ sink, retryAfterMs: 1 }).write('abcd\n')
    await until(() => text.endsWith('\n'))
    t.equal(text, wanted, code)
  }
})

t.test('at the end it waits for a slow reader and not for a full disk', async t => {
  const { log, text, is, calls } = destination({ now: () => performance.now(), retryAfterMs: 60_000 })
  is('EAGAIN')
  log.write('one\n')
  setTimeout(() => is('well'), 50)
  await log.flush(60_000)
  t.equal(text(), 'one\n')
  is('ENOSPC')
  log.write('two\n')
  const before = calls()
  await log.flush(60_000)
  t.equal(calls(), before + 1, 'it is tried a last time')
  t.equal(log.last?.state, 'waiting')
})

t.test('a file is written in order, and the last line is there when it has been flushed', async t => {
  const file = join(t.testdir(), 'log')
  const log = openLogOutput(openSync(file, 'a'))
  const lines = Array.from({ length: 1_000 }, (_, i) => `${i}\n`)
  for (const line of lines) log.write(line)
  t.equal(log.last?.state, 'waiting', 'nobody waits for a disk')
  await log.flush(60_000)
  t.equal(log.last?.state, 'written')
  t.equal(readFileSync(file, 'utf8'), lines.join(''))
})

t.test('a pipe whose reader does not read, and one whose reader has gone, block nobody', async t => {
  const pipe = join(t.testdir(), 'pipe')
  t.equal(spawnSync('mkfifo', [pipe]).status, 0)
  const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
  // Blocking, as a shell opens it.
  const writer = openSync(pipe, constants.O_WRONLY)
  const log = openLogOutput(writer)
  const line = `${'x'.repeat(1_023)}\n`
  for (let i = 0; i < 6_000; i++) log.write(line)
  t.ok(log.lost > 0)
  t.ok(log.troubled())
  const bytes = Buffer.alloc(65_536)
  let read = ''
  await until(() => {
    try {
      read += bytes.subarray(0, readSync(reader, bytes)).toString()
    } catch {
      // It is empty for a moment.
    }
    return read.includes('log lines were lost')
  })
  t.match(read, `"lost":${log.lost}`)
  t.equal(read.split('\n').filter(text => text.startsWith('x')).length, 6_000 - log.lost)
  closeSync(reader)
  log.write(line)
  t.ok(log.troubled())
  const late = openLogOutput(writer) // can't be opened once more without a reader
  late.write(line)
  t.equal(late.last?.state, 'waiting')
  t.ok(late.troubled())
  const next = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
  // Lines that still wait would go to the next file that has the number of the closed descriptor.
  await until(() => log.last?.state === 'written' && late.last?.state === 'written')
  t.notOk(late.troubled())
  closeSync(next)
  closeSync(writer)
})
