import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { toAuditEvent } from '../../../src/audit/ocsf.ts'
import { main } from '../../../src/commands/process/main.ts'
import { define } from '../../../src/commands/usage/define.ts'
import { chainHash, noHash } from '../../../src/domain/audit/audit-chain.ts'
import type { AuditEvent } from '../../../src/domain/audit/audit-event.ts'
import type { Store } from '../../../src/store/store.ts'
import { auditEventsIn } from '../../../src/store/tables/audit/audit-events.ts'
import { commandLine, measured, refused, runProcess } from '../../support/cli.ts'
import { addTenant, type TestContext } from '../../support/gateway.ts'
import { programOf } from '../../support/runner/built.ts'
import fc, { anyText } from '../../support/runner/properties.ts'
import { openStoreHere, snapshotAtHome } from '../../support/store.ts'

const noonMs = Date.parse('2026-11-20T12:00:00Z')

/** An event with this text in every field that a text may stand in. */
function saying(text: string, timeMs = noonMs): AuditEvent {
  const subject = { action: text, method: 'GET', tenantId: text, keyId: text, requestId: text, address: text }
  const ending = { outcome: 'refused', status: 404, type: text } as const
  return toAuditEvent({ ...subject, resources: [{ type: 'meeting', uid: text }] }, ending, timeMs)
}

/** A command line on a store with these events. */
async function logOf(t: TestContext, ...events: AuditEvent[]) {
  const cli = commandLine(t)
  const store = await openStoreHere(cli.storeFile)
  t.teardown(() => store.close())
  const append = async (added: AuditEvent[]): Promise<void> => {
    await store.engine.write(added.map(event => auditEventsIn(store).append(event)))
  }
  await append(events)
  const lines = async (...args: string[]): Promise<string[]> => {
    const { code, stdout, stderr } = await cli.run('audit', 'export', ...args)
    if (code !== 0) throw new Error(stderr)
    return stdout.split('\n').slice(0, -1)
  }
  return { ...cli, store, append, lines }
}

/** RFC 4180: cells in quotes may hold anything, a quote twice. */
function readCsv(text: string): string[][] {
  const cells = [...text.matchAll(/("(?:[^"]|"")*"|[^",\r\n]*)(,|\r?\n|$)/gy)]
  const rows: string[][] = [[]]
  for (const [, cell = '', end] of cells) {
    rows.at(-1)?.push(cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell)
    if (end === '\n') rows.push([])
  }
  return rows.slice(0, -1)
}

const hostile = fc.oneof(
  fc.constantFrom(
    '',
    '\r',
    '\n',
    '\r\n{"seq":1}\n',
    '\0',
    '"',
    '","',
    '\\"',
    '\ud800',
    'a\udc00',
    '\u2028\u2029\u0085'
  ),
  fc.constantFrom(
    '=1+1',
    '+1',
    '-1',
    '@x',
    '\t=1',
    '\r=1',
    '＝1',
    "=cmd|' /C calc'!A0",
    '__proto__',
    'x'.repeat(65_536)
  ),
  anyText({ maxLength: 50 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 50 }).map(units => String.fromCharCode(...units))
)

t.test('an event is one line, and comes back as it was, whatever text stands in it', async t => {
  const { append, lines, run } = await logOf(t)
  let hour = 0
  await fc.assert(
    fc.asyncProperty(fc.array(hostile, { minLength: 1, maxLength: 8 }), async texts => {
      hour += 1
      const timeMs = noonMs + hour * 3_600_000
      const events = texts.map(text => saying(text, timeMs))
      await append(events)
      const since = ['--since', new Date(timeMs).toISOString()]
      const told = (await lines(...since)).map(line => JSON.parse(line).event)
      t.strictSame(told, events)
      for (const [i, line] of (await lines(...since, '--format', 'ocsf')).entries()) {
        t.match(JSON.parse(line), { api: events[i]?.api, actor: events[i]?.actor })
      }

      const { stdout } = await run('audit', 'export', ...since, '--format', 'csv')
      const [head = [], ...rows] = readCsv(stdout)
      t.equal(rows.length, texts.length)
      for (const [i, row] of rows.entries()) {
        t.equal(row.length, head.length)
        const text = texts[i] ?? ''
        t.equal(row[head.indexOf('request_id')], /^[=+\-@\t\r＝＋－＠]/.test(text) ? `'${text}` : text)
      }
    }),
    { numRuns: 40 }
  )
})

t.test('from the lines alone everybody can compute every hash: the text of an event is the stored one', async t => {
  const { append, lines, store } = await logOf(t, saying('a "quote" and \u00e9\u{1f600}'))
  await append([saying('b'), saying('\ud800')])
  const stored = await store.engine.read(store.sql.selectFrom('audit_events').selectAll().orderBy('seq').compile())
  let before = noHash
  for (const [i, line] of (await lines()).entries()) {
    const [, seq, prev, hash = '', text = ''] =
      /^\{"seq":(\d+),"prev_hash":"(.{64})","hash":"(.{64})","event":(.*)\}$/.exec(line) ?? []
    t.strictSame([Number(seq), prev, hash, text], [i + 1, before, chainHash(before, text), stored[i]?.event])
    before = hash
  }
  t.equal(before, stored.at(-1)?.hash)
  t.strictSame(await lines('--json'), await lines())
  t.strictSame(await lines('--format', 'ndjson'), await lines())
})

t.test('as OCSF an event carries its place and its link; as CSV it is a row with a head', async t => {
  const start = { action: 'startLivestream', method: 'POST', tenantId: 'acme', keyId: 'k1', requestId: 'r1' }
  const resources = ['m1', 'm2'].map(uid => ({ type: 'meeting' as const, uid }))
  const ending = {
    outcome: 'failed',
    status: 502,
    type: 'upstream_refused',
    upstreamStatus: 400,
    upstreamReason: '=not while it stops',
    durationMs: 12
  } as const
  const event = toAuditEvent({ ...start, address: '127.0.0.1', resources }, ending, noonMs)
  const operator = { ...start, keyId: null, address: null, actor: { type: 'Operator' as const, uid: '=me' } }
  const { lines } = await logOf(t, event, toAuditEvent({ ...operator, resources: [] }, { outcome: 'done' }, noonMs))
  const [line = ''] = await lines()
  const { seq, prev_hash, hash } = JSON.parse(line)
  t.strictSame(JSON.parse((await lines('--format', 'ocsf'))[0] ?? ''), {
    ...event,
    metadata: { ...event.metadata, sequence: 1 },
    unmapped: { ...event.unmapped, seq, prev_hash, hash }
  })
  const [head, first, second] = await lines('--format', 'csv')
  t.equal(
    head,
    'seq,time,tenant_id,key_id,actor,address,operation,resources,outcome,status,reason,upstream_status,upstream_reason,duration_ms,count,request_id,hash'
  )
  t.equal(
    first,
    `1,2026-11-20T12:00:00.000Z,acme,k1,k1,127.0.0.1,startLivestream,meeting:m1 meeting:m2,failed,502,upstream_refused,400,'=not while it stops,12,1,r1,${hash}`
  )
  t.match(second, /^2,2026-11-20T12:00:00\.000Z,acme,,'=me,command line,startLivestream,,done,,,,,,1,r1,/)
})

t.test('a part of it: after an event, at or after a time, before a time, of one tenant', async t => {
  const times = ['2026-11-19T23:59:59.999Z', '2026-11-20T00:00:00Z', '2026-11-20T12:00:00Z', '2026-11-21T00:00:00Z']
  const { lines, store } = await logOf(
    t,
    ...times.map((time, i) => saying(i % 2 === 0 ? 'acme' : 'globex', Date.parse(time)))
  )
  for (const tenant of ['acme', 'globex', 'initech']) await addTenant(store, tenant)
  const part = async (...args: string[]) => (await lines(...args)).map(line => JSON.parse(line).seq)
  t.strictSame(await part('--since', '2026-11-20'), [2, 3, 4])
  t.strictSame(await part('--until', '2026-11-20'), [1])
  t.strictSame(await part('--since', '2026-11-20', '--until', '2026-11-21'), [2, 3])
  t.strictSame(await part('--since', '2026-11-20T13:00:00+01:00'), [3, 4])
  t.strictSame(await part('--since', '2026-11-20T12:00:00.001Z'), [4])
  t.strictSame(await part('--since', '2026-11-20', '--until', '2026-11-20'), [])
  t.strictSame(await part('--tenant', 'acme'), [1, 3])
  t.strictSame(await part('--after', '2'), [3, 4])
  t.strictSame(await part('--after', '1', '--tenant', 'acme'), [3])
  t.strictSame(await part('--after', '4'), [])
  t.strictSame(await part('--tenant', 'globex', '--since', '2026-11-20T12:00:00Z'), [4])
  t.strictSame(await part('--tenant', 'initech'), [])
  t.equal((await lines('--tenant', 'initech', '--format', 'csv')).length, 1, 'the head alone')
})

t.test('an option that says nothing sensible is refused, and nothing is printed', async t => {
  const { run } = await logOf(t, saying('x'))
  const time = 'must be ISO 8601 with its zone, like 2026-11-20T09:30:00Z, or a day'
  const wrong: [string[], string][] = [
    ...['', 'xml', 'CSV', 'constructor', '__proto__', 'toString'].map((format): [string[], string] => [
      [`--format=${format}`],
      '--format must be one of ndjson, ocsf, csv'
    ]),
    ...[
      '',
      'yesterday',
      '2026-02-30',
      '2026-11-20T09:30',
      '2026-11-20T25:00:00Z',
      '1795345200000',
      '2026-11-20 '
    ].flatMap((text): [string[], string][] => [
      [[`--since=${text}`], `--since ${time}`],
      [[`--until=${text}`], `--until ${time}`]
    ]),
    [['--since', '2026-11-21', '--until', '2026-11-20'], '--until must not be before --since'],
    ...['', '-1', 'x', '1e3'].map((text): [string[], string] => [
      [`--after=${text}`],
      '--after must be the number of an event'
    ]),
    [['--json', '--format', 'csv'], '--json is --format ndjson: give one of them'],
    [['--json', '--format', 'ocsf'], '--json is --format ndjson: give one of them']
  ]
  for (const [args, message] of wrong) {
    const outcome = await run('audit', 'export', ...args)
    t.strictSame([outcome.code, refused(outcome)], [2, message], args.join(' '))
  }
  const outcome = await run('audit', 'export', '--tenant', 'nobody')
  t.strictSame([outcome.code, refused(outcome)], [1, 'there is no tenant nobody'])
})

t.test('however long a log is, and however slow who reads it: one page of one moment is held, and no more', async t => {
  const { append, env } = await logOf(t)
  const count = 30_000
  const page = Array.from({ length: 1_000 }, () => saying('acme'))
  for (let i = 0; i < count / 1_000; i++) await append(page)

  const seen = { asked: 0, askedAhead: 0, writing: 0, mostWriting: 0, lines: 0, longest: 0 }
  const counting = async (...[home]: Parameters<typeof snapshotAtHome>): Promise<Store> => {
    const store = await snapshotAtHome(home)
    const scan: Store['engine']['scan'] = query => {
      seen.asked += 1
      return store.engine.scan(query)
    }
    return { ...store, engine: { ...store.engine, scan } }
  }
  const slowly = async (text: string): Promise<void> => {
    const { asked } = seen
    const lines = text.split('\n').length - 1
    seen.writing += 1
    seen.mostWriting = Math.max(seen.mostWriting, seen.writing)
    seen.lines += lines
    seen.longest = Math.max(seen.longest, lines)
    await append([saying('later')])
    for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
    seen.askedAhead += seen.asked - asked
    seen.writing -= 1
  }
  const openStore = () => Promise.reject(new Error('not opened to write'))
  const io = { env, out() {}, err() {}, write: slowly, openStore, openSnapshot: counting }
  t.equal(await main(define, ['audit', 'export'], io), 0)
  const pages = count / 1_000
  t.match(seen, { askedAhead: 0, mostWriting: 1, lines: count, longest: 1_000 })
  t.ok(seen.asked >= pages && seen.asked <= pages + 1)
})

t.test('as a process it prints the whole log through a pipe; who reads it may leave early, as `head` does', async t => {
  const { env } = await logOf(t, ...Array.from({ length: 3_000 }, () => saying('acme')))
  const whole = await runProcess(t, ['audit', 'export'], { ...env, ...measured })
  t.strictSame([whole.code, whole.stderr, whole.stdout.split('\n').length - 1], [0, '', 3_000])

  const child = spawn(process.execPath, [programOf('src/cli.ts'), 'audit', 'export'], { env })
  t.teardown(() => child.kill('SIGKILL'))
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text
  })
  const closed = once(child, 'close')
  // One that ends without a word is told by its code and its standard error.
  await Promise.race([once(child.stdout, 'data'), closed])
  child.stdout.destroy()
  const [code] = await closed
  t.strictSame([code, stderr], [0, ''])
})
