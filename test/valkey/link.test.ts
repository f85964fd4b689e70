import t, { type Test } from 'tap'
import type { ValkeyHome } from '../../src/domain/valkey-home.ts'
import { Secret } from '../../src/domain/values/secret.ts'
import type { Client } from '../../src/valkey/client.ts'
import { ValkeyLink } from '../../src/valkey/link.ts'
import { until } from '../support/until.ts'
import { homeOf, noValkey, startCluster, startSentinel, startValkey, valkeyProgram } from '../support/valkey/server.ts'
import { wayTo } from '../support/way.ts'

const needsValkey = () => ({ skip: valkeyProgram === null && noValkey })

/** Longest time for an answer where that is what a test is about, and everywhere else: the machine may be busy. */
const [soonMs, patientMs] = [300, 10_000]

async function linkTo(t: Test, home: ValkeyHome, withinMs = patientMs) {
  const logs: string[] = []
  const note = (facts: object, message: string): void => void logs.push(JSON.stringify({ ...facts, message }))
  const link = new ValkeyLink({ home, log: { info: note, warn: note }, withinMs })
  t.teardown(() => link.close())
  await link.open()
  return { link, logs, ask: () => link.ask('versions', ['{livegate}:version:m1'], []) }
}

t.test(
  'nobody waits long for a Valkey that stands still, then nobody waits at all, and it is back soon after',
  needsValkey(),
  async t => {
    const server = await startValkey(t)
    const { link, ask, logs } = await linkTo(t, server.home, soonMs)
    t.strictSame(await ask(), [''])
    const { epoch, session } = link
    server.freeze()
    const beganAtMs = performance.now()
    const together = [ask(), ask(), ask()]
    t.strictSame(await Promise.all(together), [null, null, null])
    t.ok(performance.now() - beganAtMs < 5_000)
    t.equal(link.session, null)
    const again = ask()
    t.equal(await Promise.race([again, Promise.resolve('waits')]), null, 'not a turn of the event loop')
    server.thaw()
    const thawedAtMs = performance.now()
    await until(() => link.session !== null)
    t.ok(performance.now() - thawedAtMs < 5_000)
    t.equal(link.epoch, epoch, 'it has lost nothing')
    t.not(link.session, session)
    t.strictSame(await ask(), [''])
    t.equal(logs.filter(line => line.includes('valkey_lost')).length, 1, logs.join('\n'))
  }
)

t.test('a process that was busy itself does not take Valkey for lost', needsValkey(), async t => {
  const server = await startValkey(t)
  const { link, ask } = await linkTo(t, server.home, soonMs)
  const answer = ask()
  await new Promise(resolve => setImmediate(resolve))
  const untilMs = performance.now() + 2 * soonMs
  while (performance.now() < untilMs);
  t.strictSame(await answer, [''])
  t.not(link.session, null)
})

t.test('a Valkey that was killed, emptied or replaced has another epoch', needsValkey(), async t => {
  const server = await startValkey(t)
  const { link, ask } = await linkTo(t, server.home)
  const epochs = new Set([link.epoch])
  await server.kill()
  await until(() => link.session === null)
  t.equal(await ask(), null)
  await server.start()
  await until(() => link.session !== null)
  epochs.add(link.epoch)
  await server.client.flushall()
  t.equal(await ask(), null)
  await until(() => link.session !== null)
  epochs.add(link.epoch)
  // As one that was promoted, and has what its primary had told it.
  await server.client.set('{livegate}:epoch', `${String(link.epoch).split('.')[0]}.otherprocess`)
  t.equal(await ask(), null)
  await until(() => link.session !== null)
  epochs.add(link.epoch)
  t.equal(epochs.size, 4)
  t.notOk(epochs.has(null))
})

t.test(
  'a way that is slow, cut or closed is as no Valkey, and a gateway starts without one',
  needsValkey(),
  async t => {
    const server = await startValkey(t)
    const way = await wayTo(server.port)
    t.teardown(() => way.close())
    await way.down()
    const { link, ask } = await linkTo(t, homeOf(way.port), soonMs)
    t.equal(link.session, null)
    t.equal(await ask(), null)
    await way.up()
    await until(() => link.session !== null)
    way.delay(1_000)
    t.equal(await ask(), null)
    t.equal(link.session, null)
    way.delay(0)
    await until(() => link.session !== null)
    const before = link.session
    way.cut()
    await until(() => ![null, before].includes(link.session))
    t.strictSame(await ask(), [''])
  }
)

t.test('a password is shown to the server, and to nobody else', needsValkey(), async t => {
  const password = `canary-${Math.random().toString(36).slice(2)}`
  const server = await startValkey(t, '--requirepass', password)
  const right = await linkTo(t, { ...server.home, password: new Secret(password) })
  t.strictSame(await right.ask(), [''])
  const wrong = await linkTo(t, { ...server.home, user: 'default', password: new Secret(`${password}x`) })
  t.equal(wrong.link.session, null)
  t.match(wrong.logs.join(), /WRONGPASS/)
  const none = await linkTo(t, server.home)
  t.match(none.logs.join(), /NOAUTH/)
  t.notMatch([...right.logs, ...wrong.logs, ...none.logs].join(), password)
})

t.test('Sentinels lead to their primary, and a cluster to its node', needsValkey(), async t => {
  const primary = await startValkey(t)
  const sentinel = await startSentinel(t, primary)
  const bySentinel = await linkTo(t, { ...homeOf(sentinel.port), kind: 'sentinels', primary: 'live' })
  t.strictSame(await bySentinel.ask(), [''])
  t.equal(await primary.client.get('{livegate}:epoch'), bySentinel.link.epoch)
  const cluster = await startCluster(t)
  const byCluster = await linkTo(t, { ...cluster.home, kind: 'cluster' })
  t.strictSame(await byCluster.ask(), [''], byCluster.logs.join())
  await cluster.kill()
  await until(() => byCluster.link.session === null)
  t.equal(await byCluster.ask(), null)
})

t.test('a call waits longer while others are answered, and not for ever', async t => {
  const afterMs = [90, 140, null]
  const client: Client = {
    connect: async () => {},
    ping: async () => 'PONG',
    async run(name) {
      if (name === 'begin') return 'epoch.run'
      const ms = name === 'versions' ? afterMs.shift() : 0
      if (ms === null) return new Promise(() => {})
      await new Promise(resolve => setTimeout(resolve, ms))
      return [String(ms)]
    },
    onEnd() {},
    trouble: () => null,
    close() {}
  }
  const link = new ValkeyLink({ home: homeOf(1), log: { info() {}, warn() {} }, withinMs: 100, connect: () => client })
  t.teardown(() => link.close())
  await link.open()
  const ask = () => link.ask('versions', [], [])
  t.strictSame(await Promise.all([ask(), ask(), ask()]), [['90'], ['140'], null])
})
