import { writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import t from 'tap'
import { type QuotaFile, quotaFileIn } from '../../src/upstream/quota/quota-file.ts'
import { commandLine } from '../support/cli.ts'
import { gateway } from '../support/gateway.ts'

const calm: QuotaFile = {
  upstream: 'default',
  atMs: 0,
  quota: 2_000,
  windowMs: 60_000,
  loweredTo: 2_000,
  used: { stop: 1, mutation: 2, read: 300, other: 1_000 },
  left: { stop: 697, mutation: 598, read: 198 },
  pausedForMs: 0,
  breaker: 'closed',
  tenants: [
    { tenantId: 'acme', reads: 290, mutations: 2, stops: 1 },
    { tenantId: 'globex', reads: 10, mutations: 0, stops: 0 }
  ],
  spent: []
}

t.test("the operator is shown what is left of the vendor's quota, and who has used it", async t => {
  const { run, json, storeFile } = commandLine(t)
  const file = quotaFileIn(dirname(storeFile), 'default')
  writeFileSync(file, JSON.stringify({ ...calm, atMs: Date.now() }))
  const { stdout: out, code } = await run('upstream', 'status')
  t.equal(code, 0)
  t.match(out, /^upstream default, as of \S+Z$/m)
  t.match(out, /^quota +2000 calls in 60 s$/m)
  t.match(out, /^used +300 reads, 2 starts and other changes, 1 stops, 1000 before or by others$/m)
  t.match(out, /^left +198 for reads, 598 for starts and other changes, 697 for stops$/m)
  t.match(out, /^vendor +asks for no pause; breaker closed$/m)
  t.match(out, /^acme +290 +2 +1$/m)
  const [shown] = await json('upstream', 'status')
  t.match(shown, {
    upstream: 'default',
    quota: 2_000,
    window_seconds: 60,
    lowered_to: 2_000,
    left: { stop: 697, mutation: 598, read: 198 },
    paused_seconds: 0,
    breaker: 'closed',
    tenants: [{ tenant: 'acme', reads: 290, mutations: 2, stops: 1 }, { tenant: 'globex' }]
  })
})

t.test('a record that is newer than the question has no pause for that', async t => {
  const { json, storeFile } = commandLine(t)
  writeFileSync(quotaFileIn(dirname(storeFile), 'default'), JSON.stringify({ ...calm, atMs: Date.now() + 60_000 }))
  t.match(await json('upstream', 'status'), [{ paused_seconds: 0 }])
})

t.test('a pause, a lowered quota, an open breaker and an old record are said', async t => {
  const { run, storeFile } = commandLine(t)
  const trouble = { loweredTo: 1_000, pausedForMs: 400_000, breaker: 'open', tenants: [], atMs: Date.now() - 60_000 }
  writeFileSync(quotaFileIn(dirname(storeFile), 'default'), JSON.stringify({ ...calm, ...trouble }))
  const { stdout: out } = await run('upstream', 'status')
  t.match(out, /\(nothing has been asked since, or no gateway runs\)/)
  t.match(out, /lowered to 1000 after refusals/)
  t.match(out, /asks for a pause of (339|340) s; breaker open/)
  t.notMatch(out, /tenant/)
})

t.test('without a record it says so', async t => {
  const { run, json } = commandLine(t)
  t.match((await run('upstream', 'status')).stdout, /no gateway has kept a record in /)
  t.strictSame(await json('upstream', 'status'), [])
})

t.test('a gateway that has ended leaves its record, and the next one counts it', async t => {
  const world = await gateway(t)
  for (let i = 0; i < 5; i++) await world.asAcme('GET', `/v2/meetings/${world.meeting}`)
  await world.close()
  const { json } = commandLine(t, { DATABASE_URL: `sqlite:${world.storeFile}` })
  const [shown] = await json('upstream', 'status')
  t.match(shown, { used: { read: 5 }, tenants: [{ tenant: 'acme', reads: 5 }] })
})
