import t, { type Test } from 'tap'
import { Changes } from '../../src/lifecycle/context.ts'
import { ValkeyLink } from '../../src/valkey/link.ts'
import { SharedVersions } from '../../src/valkey/versions.ts'
import { until } from '../support/until.ts'
import { noValkey, startValkey, type ValkeyServer, valkeyProgram } from '../support/valkey/server.ts'

const needsValkey = () => ({ skip: valkeyProgram === null && noValkey })
const subject = 'default/m1'

/** A replica's knowledge of changes. */
async function changesAt(t: Test, { home }: ValkeyServer, withinMs = 10_000) {
  const link = new ValkeyLink({ home, log: { info() {}, warn() {} }, withinMs })
  t.teardown(() => link.close())
  await link.open()
  const versions = new SharedVersions(link)
  t.teardown(() => versions.close())
  return { link, versions, changes: new Changes(versions) }
}

t.test('a change at one replica is known to another one as soon as that asks, and once', needsValkey(), async t => {
  const server = await startValkey(t)
  const [one, other] = await Promise.all([changesAt(t, server), changesAt(t, server)])
  await other.changes.hear(subject)
  const before = other.changes.of(subject)
  await other.changes.hear(subject)
  t.equal(other.changes.of(subject), before, 'nothing has changed')
  one.changes.note(subject)
  await one.changes.told(subject)
  const own = one.changes.of(subject)
  await other.changes.hear(subject)
  const after = other.changes.of(subject)
  t.ok(after > before)
  await Promise.all([one.changes.hear(subject), other.changes.hear(subject)])
  t.equal(other.changes.of(subject), after)
  t.equal(one.changes.of('default/M1'), 0, 'another meeting')
  await one.changes.hear(subject)
  t.ok(one.changes.of(subject) >= own)
})

t.test('an id is one however its letters are written, and at every upstream', needsValkey(), async t => {
  const server = await startValkey(t)
  const [one, other] = await Promise.all([changesAt(t, server), changesAt(t, server)])
  const id = '7f0d3c52-1a54-4f5e-9c0e-3b6a5d6b7a01'
  await other.changes.hear(`default/${id}`)
  const before = other.changes.of(`default/${id}`)
  one.changes.note(`second/${id.toUpperCase()}`)
  await one.changes.told(`second/${id}`)
  await other.changes.hear(`default/${id}`)
  t.ok(other.changes.of(`default/${id}`) > before)
})

t.test(
  'a change that Valkey could not take is told when it is back, and nobody waits for that',
  needsValkey(),
  async t => {
    const server = await startValkey(t)
    const [one, other] = await Promise.all([changesAt(t, server, 300), changesAt(t, server)])
    await other.changes.hear(subject)
    server.freeze()
    one.changes.note(subject)
    await one.changes.told(subject)
    t.ok(one.changes.isBlind)
    t.equal(one.changes.hear(subject), null)
    server.thaw()
    const before = other.changes.of(subject)
    await until(async () => {
      await other.changes.hear(subject)
      return other.changes.of(subject) > before
    })
    t.notOk(other.changes.isBlind)
  }
)

t.test('a Valkey that has lost everything outdates what was known of each meeting', needsValkey(), async t => {
  const server = await startValkey(t)
  const { link, changes } = await changesAt(t, server)
  await changes.hear(subject)
  const before = changes.of(subject)
  await server.client.flushall()
  await changes.hear(subject)
  await until(() => link.session !== null)
  await changes.hear(subject)
  t.ok(changes.of(subject) > before)
})
