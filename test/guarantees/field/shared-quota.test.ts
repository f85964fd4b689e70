import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { noLiveLimits } from '../../../src/domain/ends/live-limits.ts'
import { usualPresetRule } from '../../../src/domain/preset.ts'
import { presets } from '../../../src/domain/scope.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import { Dice } from '../../support/campaigns/dice.ts'
import { manualClock } from '../../support/clock.ts'
import { plenty } from '../../support/config.ts'
import { type Client, gateway, type Reply, type World } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

const limits = { readLimit: plenty, writeLimit: plenty }
/** A tenth of a second. */
const readers = 20

interface Member {
  id: string
  call: Client
  meetings: string[]
}

/** So many tenants, each with a key and its own meetings. */
async function members({ store, simulator, withKey, directory }: World, count: number, meetings = 30) {
  const all: Member[] = []
  for (let i = 0; i < count; i++) {
    const id = `tenant-${i}`
    const ids = Array.from({ length: meetings }, () => simulator.addMeeting({ id: randomUUID() }).id)
    const own = {
      readLimit: null,
      writeLimit: null,
      limits: noLiveLimits,
      presetRule: usualPresetRule,
      suspended: false,
      createdAtMs: Date.now()
    }
    await tenantsIn(store).create({ id, name: id, upstream: 'default', ...own })
    await meetingsIn(store).assign(id, 'default', ids, Date.now())
    all.push({ id, call: (await withKey(id, presets.owner)).call, meetings: ids })
  }
  await directory.pull()
  return all
}

t.test(
  'ten tenants that all want ten times as much get their fair shares, every start and stop passes, and the vendor never refuses',
  async t => {
    const clock = manualClock()
    const world = await gateway(t, {
      clock,
      slowDisk: true,
      simulator: { quota: '12/3,3', now: clock.now, liveAfterMs: 0 },
      quota: { calls: 12, seconds: 3 },
      config: { ...limits, deadlineMs: 60_000 }
    })
    t.equal(world.simulator.journal.length, 0)
    const crowd = await members(world, 10)
    const dice = new Dice('shared quota')
    const answers = new Map<number, number>()
    const note = ({ statusCode }: Reply): void => {
      answers.set(statusCode, (answers.get(statusCode) ?? 0) + 1)
    }
    const seconds = 45
    const tickMs = 25
    // Half of the first window counts as used, since nobody knows what went before.
    clock.advance(3_100)
    const nextAtMs = new Map<string, number>()
    let acts = Promise.resolve()
    for (let ms = 0; ms < seconds * 1_000; ms += tickMs) {
      clock.advance(tickMs)
      // A start that waits for its turn looks every 50 real milliseconds whether it has come.
      await sleep(tickMs / 10)
      await Promise.all(
        // By turns, since those that ask at the same moment are answered in their order.
        [...crowd.slice((ms / tickMs) % 10), ...crowd.slice(0, (ms / tickMs) % 10)].map(
          async ({ id, call, meetings }) => {
            if (ms < (nextAtMs.get(id) ?? 0)) return
            // Each asks about three times a second, and there are three calls a second for all of them.
            nextAtMs.set(id, ms + 200 + dice.next() * 266)
            note(await call('GET', `/v2/meetings/${dice.pick(meetings)}`))
          }
        )
      )
      if (ms % 6_000 === 0) {
        const { call, meetings } = dice.pick(crowd)
        const path = `/v2/meetings/${meetings[0]}`
        acts = acts.then(async () => {
          t.equal((await call('POST', `${path}/livestreams`)).statusCode, 201, 'a start')
          t.equal((await call('POST', `${path}/active-livestream/stop`)).statusCode, 200, 'a stop')
        })
      }
    }
    await acts
    const { journal } = world.simulator
    t.equal(journal.filter(({ status }) => status === 429).length, 0, 'no call was one too many')
    const reads = crowd.map(({ meetings }) => {
      const own = journal.filter(({ method, target }) => method === 'GET' && meetings.some(id => target.endsWith(id)))
      return own.length
    })
    const total = reads.reduce((sum, count) => sum + count, 0)
    t.ok(total >= 0.8 * 3 * seconds, `${total} reads of ${3 * seconds}`)
    // Calls that overlap land in one tick or the next, by the machine's luck: that is no more than a third of a share.
    t.ok(Math.min(...reads) >= Math.floor((0.66 * total) / 10), `each has had ${reads.join(', ')}`)
    t.strictSame(new Set(answers.keys()), new Set([200, 503]))
  }
)

t.test(`${readers * 100} readers of a live meeting cost the vendor one call a second`, async t => {
  const clock = manualClock()
  const world = await gateway(t, { clock, config: { ...limits, readTtlMs: 1_000, auditReads: 'rollup' } })
  const { asAcme, app, meeting, simulator } = world
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  clock.advance(1_000)
  const { key } = await world.withKey('acme', ['livestreams:read'])
  const target = `/v2/meetings/${meeting}/active-livestream`
  const before = simulator.journal.length
  const headers = { authorization: `Bearer ${key}` }
  const seen = new Set<string>()
  for (let ms = 0; ms < 10_000; ms += 100) {
    clock.advance(100)
    const replies = await Promise.all(Array.from({ length: readers }, () => app.inject({ url: target, headers })))
    for (const { statusCode, json } of replies) seen.add(`${statusCode} ${json().data.status}`)
  }
  t.strictSame([...seen], ['200 LIVE'])
  const calls = simulator.journal.length - before
  t.ok(calls <= 11, `${calls} calls`)
  t.ok(calls >= 9)
})

t.test('the answer that nothing is live is shared as well', async t => {
  const clock = manualClock()
  const { asAcme, meeting, upstream } = await gateway(t, { clock, config: { readTtlMs: 1_000 } })
  const read = () => asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
  const replies = await Promise.all(Array.from({ length: 50 }, read))
  t.strictSame(new Set(replies.map(({ statusCode }) => statusCode)), new Set([404]))
  t.match((await read()).headers, { 'cache-status': 'livegate; hit; ttl=1', age: '0' })
  t.equal(upstream().length, 1)
})

t.test('a start and a stop show at once, whatever was read just before', async t => {
  const clock = manualClock()
  const { asAcme, meeting } = await gateway(t, { clock, config: { readTtlMs: 60_000 } })
  const path = `/v2/meetings/${meeting}`
  const read = () => asAcme('GET', `${path}/active-livestream`)
  for (let round = 0; round < 3; round++) {
    t.equal((await read()).statusCode, 404)
    const { data } = (await asAcme('POST', `${path}/livestreams`)).json()
    t.match((await read()).json(), { data: { id: data.id } })
    t.equal((await asAcme('GET', `/v2/livestreams/${data.id}`)).json().data.livestream.status, 'LIVE')
    clock.advance(2_000)
    t.equal((await asAcme('POST', `${path}/active-livestream/stop`)).statusCode, 200)
    t.equal((await read()).statusCode, 404)
    t.not((await asAcme('GET', `/v2/livestreams/${data.id}`)).json().data.livestream.status, 'LIVE')
  }
})

t.test('a read that was under way while a stop was acknowledged does not show what was before it', async t => {
  const { asAcme, meeting, door } = await gatewayBehindDoor(t, { config: { readTtlMs: 60_000 } })
  const path = `/v2/meetings/${meeting}`
  await asAcme('POST', `${path}/livestreams`)
  const read = `${path}/active-livestream`
  door.holdAnswers(`GET ${read}`)
  // The start is known, so that only its end of time would ask the vendor: a change makes it ask.
  await asAcme('PATCH', path, { title: 'new' })
  const early = asAcme('GET', read)
  await until(() => door.heldAnswers() === 1)
  t.equal((await asAcme('POST', `${path}/active-livestream/stop`)).statusCode, 200)
  door.release()
  t.equal((await early).statusCode, 404)
})

t.test('a read shows the last answer as stale when the quota is used up, and 503 when there is none', async t => {
  const clock = manualClock()
  const { asAcme, asGlobex, meeting, otherMeeting, simulator, store } = await gateway(t, {
    clock,
    config: { ...limits, readTtlMs: 1_000 },
    async before() {}
  })
  const active = `/v2/meetings/${meeting}/active-livestream`
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  await asAcme('GET', active)
  clock.advance(30_000)
  simulator.fail({ match: { method: 'GET' }, retryAfterSeconds: 120 })
  t.match(await asAcme('GET', active), {
    statusCode: 200,
    headers: { 'cache-status': 'livegate; hit; ttl=-29; detail=upstream_throttled', age: '30' }
  })
  const before = simulator.journal.length
  t.match(await asGlobex('GET', `/v2/meetings/${otherMeeting}/active-livestream`), { statusCode: 503 })
  t.match(await asAcme('GET', active), { statusCode: 200 })
  t.equal(simulator.journal.length, before, 'and nobody is asked during the pause')
  t.ok(store)
})
