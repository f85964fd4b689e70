import { randomBytes, randomUUID } from 'node:crypto'
import t from 'tap'
import { cleaned, reasonOf } from '../../../src/upstream/contract/vendor-words.ts'
import fc, { anyText, runs } from '../../support/runner/properties.ts'

const meeting = randomUUID()
const bare = { path: `/meetings/${meeting}/livestreams`, secrets: [] }
const asked = { numRuns: runs(1_000), seed: 1_403 }

t.test('the reason is read in each form in which vendors and their edge refuse', async t => {
  for (const [body, reason] of [
    [{ success: false, error: { code: 400, message: 'It has not started yet' } }, 'It has not started yet'],
    [{ success: false, message: '[body] "destinations" is not allowed' }, '[body] "destinations" is not allowed'],
    [{ success: false, error: 'Conflict' }, 'Conflict'],
    [{ message: 'Unauthorized' }, 'Unauthorized'],
    [{ errors: [{ code: 10000, message: 'Authentication error' }], messages: [] }, '10000 Authentication error'],
    [
      {
        errors: [
          {
            code: 6003,
            message: 'Invalid request headers',
            error_chain: [{ code: 6111, message: 'Invalid format for Authorization header' }]
          }
        ]
      },
      '6003 Invalid request headers; 6111 Invalid format for Authorization header'
    ],
    [{ message: '' }, undefined],
    [{ errors: [] }, undefined],
    [{ message: { deep: 1 }, error: 7 }, undefined],
    [undefined, undefined],
    ['text', undefined],
    [[], undefined]
  ] as const)
    t.equal(reasonOf(body, bare), reason, JSON.stringify(body))
})

t.test("a vendor's words on itself stay readable", async t => {
  for (const words of [
    `A LIVESTREAMER is already running for meeting ${meeting}`,
    'Maximum number of concurrent livestreams reached',
    '[body] "session_keep_alive_time_in_secs" must be less than or equal to 600',
    'More than 1200 requests per 300 seconds reached. Please wait and consider throttling your request speed',
    'POST /active-livestream/stop: the recording is not in progress',
    'HOST_ENDED_MEETING or ALL_PARTICIPANTS_LEFT'
  ])
    t.equal(cleaned(words, bare), words)
})

t.test("words that are the caller's own, or look like a key, do not", async t => {
  const sent = { title: 'Layoffs in May', nested: [{ name: 'Ünï "q" \\' }], short: 'ab', flag: true, count: 7 }
  const secrets = ['0123-org', 'k3y', '0'.repeat(32)]
  const own = { sent, path: `/meetings/${meeting}`, secrets }
  for (const [words, expected] of [
    ['Title "Layoffs in May" is taken', 'Title "…" is taken'],
    ['title LAYOFFS IN MAY, twice layoffs in may', 'title …, twice …'],
    ['Title "Layoffs" is taken', 'Title "…" is taken'],
    ['Title Layoffs in… is too long', 'Title …… is too long'],
    ['Layoffs%20in%20May is taken', '… is taken'],
    ['{"name":"Ünï \\"q\\" \\\\"} is wrong', '{"name":"…"} is wrong'],
    ['ab is no cable', '… is no cable'],
    ['org 0123-org with key k3y', 'org … with key …'],
    [`account ${'0'.repeat(32)}`, 'account …'],
    ['"name" with value "x y" fails to match /^a$/', '"name" with value…'],
    [`meeting ${meeting} of ${randomUUID()}`, `meeting ${meeting} of …`],
    [`meeting ${meeting.toUpperCase()}/x`, `meeting ${meeting.toUpperCase()}/x`],
    ['send to rtmps://live.example:443/app/KEY now', 'send to … now'],
    ['key sk_live9 and token: abc, password=hunter2', 'key … and … …'],
    ['Authorization: Bearer abc is wrong', '… is wrong'],
    ['Basic YTpi refused', '… refused'],
    ['see eyJhbGciOiJIUzI1NiJ9.e30.c2ln.', 'see …'],
    ['key 9f86d081884c7d65 and abcd-1234-efgh-5678', 'key … and …'],
    ['ask anna@example.org', 'ask …'],
    ['a\u0000b\r\nc\u202ed\u2028e\ud800', 'a b cd e\ufffd']
  ] as const)
    t.equal(cleaned(words, own), expected, expected)
})

t.test('the first 300 characters are kept, and what was cut off shows no half of a value', async t => {
  t.equal(cleaned('so '.repeat(200), bare), `${'so '.repeat(100).slice(0, 299)}…`)
  const title = 'secret9xyz'
  t.equal(cleaned(`${'k9'.repeat(996)} ${title}`, { ...bare, sent: { title } }), '…')
})

/** Words of a vendor's that has these for what it quotes. */
const around = fc.constantFrom('', '"', "'", '(', ': ', '=', '/', '`', '{"a":"', ' with ', 'is')
const saying = (value: fc.Arbitrary<string>) =>
  fc.tuple(fc.string({ maxLength: 30 }), around, value, around, fc.string({ unit: 'grapheme', maxLength: 30 }))

t.test('no value that was sent comes back, wherever it stands', async t => {
  const value = fc.oneof(
    fc.string({ minLength: 4, maxLength: 80 }),
    fc.string({ unit: 'grapheme', minLength: 4, maxLength: 40 })
  )
  fc.assert(
    fc.property(saying(value), fc.boolean(), ([before, open, value, close, after], isNested) => {
      const told = cleaned([before, open, value, close, after].join(''), {
        ...bare,
        sent: isNested ? { a: [{ b: value }] } : { title: value }
      })
      const trimmed = value.replace(/[\p{Cc}\p{Cf}\p{Z}]+/gu, ' ').trim()
      // Three dots are what stands for it, and what is shorter is a word of the vendor's as well.
      return trimmed.length < 4 || /^[….\s]*$/.test(trimmed) || !told.toLowerCase().includes(trimmed.toLowerCase())
    }),
    asked
  )
  t.pass(`${asked.numRuns} sayings`)
})

t.test('no key comes back, and no control character, and never more than 300 characters', async t => {
  const bytes = fc.uint8Array({ minLength: 16, maxLength: 64 }).map(array => Buffer.from(array))
  const key = fc.oneof(
    bytes.map(buffer => buffer.toString('hex')),
    bytes.map(buffer => buffer.toString('base64')),
    bytes.map(buffer => buffer.toString('base64url')),
    bytes.map(buffer => `sk_${buffer.toString('hex').slice(0, 6)}`),
    bytes.map(buffer => `rtmps://x.example/app/${buffer.toString('hex').slice(0, 5)}`),
    bytes.map(buffer => `eyJ${buffer.toString('base64url')}.${buffer.toString('base64url')}.x`),
    fc.uuid()
  )
  const outside = fc.constantFrom(' ', '"', "'", '(', ', ', ': ', '\n')
  fc.assert(
    fc.property(anyText({ maxLength: 400 }), outside, key, (before, open, key) => {
      const told = cleaned(`x ${before.slice(0, 100)}${open}${key}${open}${before}`, bare)
      return told.length <= 300 && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(told) && !told.includes(key.slice(0, 16))
    }),
    asked
  )
  t.pass(`${asked.numRuns} sayings`)
})

t.test('no vendor makes the cleaning slow', async t => {
  const sent = { title: randomBytes(30_000).toString('hex') }
  const hostile = ['a', '1a', 'a_', 'a.', '"', '@', 'key:', 'eyJ.', 'a://', ' ', sent.title]
  for (const piece of hostile) {
    const words = piece.repeat(Math.ceil(1_000_000 / piece.length))
    // The time of this thread alone: others may have the processor meanwhile.
    const before = process.threadCpuUsage()
    cleaned(words, { ...bare, sent })
    const ms = process.threadCpuUsage(before).user / 1_000
    t.ok(ms < 500, `${JSON.stringify(piece.slice(0, 5))} took ${Math.round(ms)} ms`)
  }
})
