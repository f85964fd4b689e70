import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { client } from '../support/client.ts'
import { environmentOf } from '../support/config.ts'
import { noPostgres, postgresBin } from '../support/postgres/server.ts'
import { usePostgres } from '../support/postgres/stores.ts'
import { type Front, front } from '../support/replicas/front.ts'
import { environmentOfReplicas, startReplica } from '../support/replicas/processes.ts'
import { replicaWorld } from '../support/replicas/world.ts'
import { until } from '../support/until.ts'

const deadlineMs = 1_000
/** Each waits for time to pass, most of the time: so they run beside each other. */
const slowMs = 180_000

/** Replicas whose vendor calls may take a second. */
async function processes(t: Parameters<typeof replicaWorld>[0]) {
  const world = await replicaWorld(t)
  const { simulator, store, storeFile, authorization, meeting } = world
  const env = {
    ...(await environmentOfReplicas(storeFile)),
    ...environmentOf(simulator),
    LIVEGATE_DEADLINE_MS: String(deadlineMs),
    LIVEGATE_SETTLE_MS: '2000',
    LIVEGATE_RECONCILE_MS: '0',
    LIVEGATE_READ_TTL_MS: '0'
  }
  return {
    ...world,
    async serve(way?: Front) {
      const behind = way && { DYTE_BASE_URL: way.url, NODE_EXTRA_CA_CERTS: way.ca }
      const { url, process } = await startReplica(t, { ...env, ...behind })
      const call = client(url, authorization)
      return {
        signal: process.signal,
        start: (body: object = {}) => call('POST', `/v2/meetings/${meeting}/livestreams`, body),
        stop: () => call('POST', `/v2/meetings/${meeting}/active-livestream/stop`),
        look: () => call('GET', `/v2/meetings/${meeting}/active-livestream`)
      }
    },
    live: () => simulator.livestreams().filter(({ status }) => status === 'LIVE').length,
    /** States of operations of a kind. */
    async states(kind: 'start' | 'stop') {
      const query = store.sql.selectFrom('operations').select('state').where('kind', '=', kind).orderBy('ordinal')
      return (await store.engine.read(query.compile())).map(({ state }) => state)
    }
  }
}

if (postgresBin === null) t.test('replicas that fall silent', { skip: noPostgres }, t => t.end())
else {
  usePostgres()
  t.jobs = 4

  t.test(
    'a replica that is killed in the midst of a start leaves one that another settles',
    { timeout: slowMs, buffered: true },
    async t => {
      const { serve, simulator, mutations, live, states } = await processes(t)
      const [first, second] = await Promise.all([serve(), serve()])
      simulator.failNext({ match: { method: 'POST' }, delayMs: 800, afterWork: true })
      const lost = first.start().catch(() => null)
      await until(() => mutations().length === 1)
      first.signal('SIGKILL')
      t.equal(await lost, null)
      const early = await second.start()
      t.match(
        [early.statusCode, early.json().error.outcome],
        [409, 'not_sent'],
        'nobody knows yet, and nothing is sent'
      )
      await until(async () => (await second.start()).statusCode === 200)
      t.equal(mutations().length, 1)
      t.equal(live(), 1)
      t.strictSame(await states('start'), ['done'])
    }
  )

  t.test(
    'the end of a run is kept within 12 s by another replica after its leader was killed',
    { timeout: slowMs, buffered: true },
    async t => {
      const { serve, live } = await processes(t)
      const leader = await serve()
      await serve()
      t.equal((await leader.start({ max_duration_seconds: 10 })).statusCode, 201)
      const startedAtMs = performance.now()
      leader.signal('SIGKILL')
      await until(() => live() === 0)
      const afterMs = performance.now() - startedAtMs
      t.ok(afterMs > 9_000 && afterMs < 12_000, `${afterMs} ms`)
    }
  )

  t.test(
    'a leader that stands still while it ends a run ends no run of later',
    { timeout: slowMs, buffered: true },
    async t => {
      const { serve, simulator, live, mutations } = await processes(t)
      const leader = await serve()
      const other = await serve()
      t.equal((await leader.start({ max_duration_seconds: 10 })).statusCode, 201)
      // The look that its stop begins with.
      simulator.fail({ match: { method: 'GET', path: '/active-livestream' }, delayMs: 300 })
      const looks = () => simulator.journal.filter(({ target }) => target.endsWith('/active-livestream')).length
      const before = looks()
      await until(() => looks() > before)
      leader.signal('SIGSTOP')
      await until(() => live() === 0)
      await until(async () => (await other.start()).statusCode === 201)
      const sent = mutations().length
      leader.signal('SIGCONT')
      await sleep(4_000)
      t.equal(mutations().length, sent)
      t.equal(live(), 1, 'the run of later goes on')
      await until(async () => (await leader.stop()).statusCode === 200)
      t.equal(live(), 0, 'it has come back')
    }
  )

  t.test(
    'a start, and a stop, before which a replica stood still are not sent later',
    { timeout: slowMs, buffered: true },
    async t => {
      const { serve, simulator, storeFile, live, mutations, states } = await processes(t)
      const way = await front(t, simulator.url, dirname(storeFile))
      const frozen = await serve(way)
      const other = await serve()
      const until201 = () => until(async () => (await other.start()).statusCode === 201)

      for (const kind of ['start', 'stop'] as const) {
        const { promise: stands, resolve } = Promise.withResolvers<void>()
        way.onHello = async () => {
          // Its record stands, so this is the way of the mutation itself.
          if (!(await states(kind)).includes('sent')) return
          frozen.signal('SIGSTOP')
          resolve()
          way.onHello = async () => {}
        }
        const late = frozen[kind]()
        await stands
        const before = mutations().length
        if (kind === 'stop') {
          await until(async () => (await other.stop()).statusCode === 200)
          t.equal(live(), 0)
        }
        await until201()
        const sent = mutations().length
        t.equal(sent, before + (kind === 'start' ? 1 : 2), 'of the other replica alone')
        frozen.signal('SIGCONT')
        t.ok((await late).statusCode >= 500)
        await sleep(3_000)
        t.equal(mutations().length, sent, `the ${kind} was not sent`)
        t.equal(live(), 1, 'the run of later goes on')
      }
    }
  )
}
