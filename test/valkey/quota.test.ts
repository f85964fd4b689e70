import t, { type Test } from 'tap'
import { ValkeyLink } from '../../src/valkey/link.ts'
import { Dice } from '../support/campaigns/dice.ts'
import { runs } from '../support/runner/properties.ts'
import { type DividingReplica, dividing } from '../support/valkey/dividing.ts'
import { noValkey, startValkey, valkeyProgram } from '../support/valkey/server.ts'

const needsValkey = () => ({ skip: valkeyProgram === null && noValkey })
const quota = { calls: 30, seconds: 3 }

/** Replicas that have lived for so long that all of the quota is theirs. */
async function settled(t: Test, count: number, rule = quota) {
  const { client } = await startValkey(t)
  const world = await dividing(client, count, rule)
  const replicas = await Promise.all(Array.from({ length: count }, () => world.join()))
  await world.pass(8_000)
  return { world, replicas: replicas as [DividingReplica, ...DividingReplica[]] }
}

/** All of them ask for more than there is, for so long. */
async function press(
  { pass }: { pass(ms: number): Promise<void> },
  replicas: DividingReplica[],
  ms: number
): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) {
    for (const replica of replicas) if (!replica.call('read')) await replica.ask()
    await pass(100)
  }
}

t.test(
  'replicas divide the quota: under pressure each has its share, and one alone gets what the others leave',
  needsValkey(),
  async t => {
    const { world, replicas } = await settled(t, 3)
    await press(world, replicas, 9_000)
    t.ok(world.most() <= 30, `${world.most()} calls in a window`)
    const parts = replicas.map(({ share }) => share.calls())
    t.strictSame(parts, [10, 10, 10])
    const before = world.sent()
    await press(world, [replicas[0]], 12_000)
    t.ok(world.most() <= 30)
    t.ok(replicas[0].share.calls() >= 20, `${parts} became ${replicas.map(({ share }) => share.calls())}`)
    t.ok(world.sent() - before > 40)
  }
)

t.test(
  'the part of a dead replica is granted to others only when none of its calls can count',
  needsValkey(),
  async t => {
    const { world, replicas } = await settled(t, 2)
    const [one, other] = replicas as [DividingReplica, DividingReplica]
    await press(world, [one], 9_000)
    t.ok(one.share.calls() > 15)
    one.die()
    await press(world, [other], 12_000)
    t.equal(other.share.calls(), 15, 'as long as it counts among the living, its even share is kept')
    while (other.call('mutation'));
    world.live(1)
    await press(world, [other], 6_000)
    t.equal(other.share.calls(), 30)
    t.ok(world.most() <= 30, `${world.most()} calls in a window`)
  }
)

t.test(
  'a Valkey that has lost everything grants nothing but what was given back, until a window has passed',
  needsValkey(),
  async t => {
    const { world, replicas } = await settled(t, 2)
    await press(world, replicas, 6_000)
    while (replicas.some(replica => replica.call('mutation')));
    const all = (some: DividingReplica[]) => some.reduce((sum, { share }) => sum + share.calls(), 0)
    const before = all(replicas)
    await world.empty()
    const late = await world.join()
    world.live(3)
    await world.pass(1_000)
    t.ok(all([...replicas, late]) <= before)
    await press(world, [...replicas, late], 12_000)
    t.ok(world.most() <= 30, `${world.most()} calls in a window`)
    t.equal(late.share.calls(), 10)
  }
)

t.test('without Valkey a replica goes on with an even share, and a stop is never refused', needsValkey(), async t => {
  const { world, replicas } = await settled(t, 3)
  await press(world, [replicas[0]], 9_000)
  t.ok(replicas[0].share.calls() > 10)
  world.away(true)
  await press(world, replicas, 20_000)
  t.ok(world.most() <= 30, `${world.most()} calls in a window`)
  t.strictSame(
    replicas.map(({ share }) => share.calls()),
    [10, 10, 10]
  )
  for (const replica of replicas) t.ok(replica.call('stop'))
  t.ok(world.most(() => true) <= 30, 'each has a reserve for it')
  world.away(false)
  await press(world, replicas, 6_000)
  t.ok(world.most() <= 30)
})

t.test('a replica that ends leaves what it has not used to the others at once', needsValkey(), async t => {
  const { world, replicas } = await settled(t, 2)
  const [one, other] = replicas as [DividingReplica, DividingReplica]
  while (one.call('read'));
  const counted = one.budget.counted()
  await one.share.close()
  t.notOk(one.call('read'), 'and sends nothing more')
  for (let i = 0; i < 10; i++) {
    while (other.call('read'));
    await other.ask()
    await world.pass(60)
  }
  t.equal(counted + other.share.calls() <= 30, true)
})

t.test('no window ever sees more than the quota, whatever dies, is cut off, or forgets', needsValkey(), async t => {
  const { client } = await startValkey(t)
  for (let round = 0; round < runs(40); round++) {
    const dice = new Dice(`quota ${round}`)
    const rule = { calls: dice.between(10, 40), seconds: dice.between(1, 4) }
    const count = dice.between(2, 4)
    const world = await dividing(client, count, rule)
    const replicas = await Promise.all(Array.from({ length: count }, () => world.join()))
    await world.pass(dice.between(0, 9_000))
    const steps: string[] = []
    for (let step = 0; step < 120; step++) {
      const replica = dice.pick(replicas)
      const what = dice.next()
      if (what < 0.02) world.away(dice.chance(0.5))
      else if (what < 0.03) await world.empty()
      else if (what < 0.05) replica.cut(dice.chance(0.6))
      else if (what < 0.06) {
        replica.die()
        replicas[replicas.indexOf(replica)] = await world.join()
      } else if (what < 0.1) replica.call('stop')
      else {
        const pressing = dice.chance(0.5) ? replicas : [replica]
        for (const one of pressing)
          for (let i = dice.between(1, 12); i > 0; i--) if (!one.call(dice.pick(['read', 'mutation']))) await one.ask()
      }
      steps.push(what.toFixed(2))
      if (dice.chance(0.7)) await world.pass(dice.between(1, 400))
    }
    if (world.most() > rule.calls)
      t.fail(`round ${round}: ${world.most()} of ${rule.calls} in ${rule.seconds} s: ${steps}`)
  }
  t.pass('all rounds')
})

t.test(
  'calls that the vendor tells of are not those of outsiders where another replica has a part',
  needsValkey(),
  async t => {
    const { world, replicas } = await settled(t, 2)
    const [one, other] = replicas as [DividingReplica, DividingReplica]
    await press(world, replicas, 3_000)
    const calls = one.budget.counted() + other.budget.counted()
    one.budget.tell({ remaining: 30 - calls, resetMs: 1_000, quota: 30 })
    t.equal(one.budget.status().used.other, 0)
    one.budget.tell({ remaining: 0, resetMs: 1_000, quota: 30 })
    t.equal(one.budget.status().used.other, 30 - one.budget.counted() - one.share.ofOthers())
  }
)

t.test('a message that was lost, and is carried out behind a newer one, changes nothing', needsValkey(), async t => {
  const { home } = await startValkey(t)
  const link = new ValkeyLink({ home, log: { info() {}, warn() {} }, withinMs: 10_000 })
  t.teardown(() => link.close())
  await link.open()
  const lease = (id: string, seq: number, have: number, want: number) =>
    link.ask('lease', ['{livegate}:quota:default'], [id, seq, have, want, 0, 0, 30, 60_000, 60_000, 1])
  t.strictSame(await lease('one', 2, 10, 10), [10, 0, 0])
  await lease('one', 1, 10, 4)
  t.strictSame(await lease('other', 1, 0, 30), [0, 10, 0], 'all ten are still its part')
})

t.test('a replica that takes the place of a dead one gets nothing of what may still count', needsValkey(), async t => {
  const { world, replicas } = await settled(t, 1)
  await press(world, replicas, 6_000)
  while (replicas[0].call('mutation'));
  replicas[0].die()
  const next = await world.join()
  await press(world, [next], 9_000)
  t.equal(next.share.calls(), 30)
  t.ok(world.most() <= 30, `${world.most()} calls in a window`)
})
