import { randomUUID } from 'node:crypto'
import Database from 'better-sqlite3'
import t from 'tap'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import { type Bed, makeBeds, mutations, type Operation, says, use } from '../../support/campaigns/trouble.ts'
import { lockStore } from '../../support/faulty-store.ts'
import type { Reply, TestContext, World } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

type Told = Record<string, string>
type Keys = Record<string, Record<string, string>>

const world = await open(t)

/** A gateway with things of acme for each mutation, and all mutations at once. */
async function open(t: TestContext) {
  const beds: Bed[] = []
  const world = await gatewayBehindDoor(t, {
    config: { deadlineMs: 60_000, shutdownMs: 4_000 },
    before: async (store, simulator) => {
      beds.push(...(await makeBeds(store, simulator, 6)))
    }
  })
  return { ...world, nextBed: () => beds.shift() as Bed, ...callsOf(world) }
}

function callsOf({ asAcme, simulator }: World) {
  const call = (name: Operation, bed: Bed, headers: Record<string, string> = {}): Promise<Reply> => {
    const { method, path, body } = use(name, bed)
    return asAcme(method, path, body, headers)
  }
  return {
    call,
    async callAll(bed: Bed, keys: Keys = {}): Promise<Told> {
      const replies = mutations.map(async name => [name, says(await call(name, bed, keys[name]))])
      return Object.fromEntries(await Promise.all(replies))
    },
    /** The mutations that the vendor has heard of. (A call that makes a meeting names none.) */
    sent: (bed: Bed): Operation[] =>
      mutations.filter(name => {
        const { method, path } = use(name, bed).vendor
        return simulator.journal.some(entry => entry.method === method && entry.target === `/v2${path}`)
      })
  }
}

/** An idempotency key for each mutation, which is its request id too. */
function newKeys(): Keys {
  const key = (id: string) => ({ 'idempotency-key': id, 'x-request-id': id })
  return Object.fromEntries(mutations.map(name => [name, key(randomUUID())]))
}

t.test('a mutation that cannot be written down before is not sent, and the answer says so; but a stop is', async t => {
  const { storeFile, callAll, sent } = world
  const bed = world.nextBed()
  const unlock = lockStore(storeFile)
  const refused = '503 audit_unavailable not_sent'
  t.strictSame(await callAll(bed), {
    start: refused,
    stop: '200',
    createMeeting: refused,
    patchMeeting: refused,
    putMeeting: refused
  })
  t.strictSame(sent(bed), ['stop'])
  unlock()
})

t.test(
  'operations that can neither be read nor written: nothing is sent, and the answer says so; but a stop is',
  async t => {
    const { storeFile, callAll, sent, nextBed } = world
    const [bed, other] = [nextBed(), nextBed()]
    const rename = (from: string, to: string): void => {
      const database = new Database(storeFile)
      database.exec(`ALTER TABLE ${from} RENAME TO ${to}`)
      database.close()
    }
    rename('operations', 'away')
    const [unread, unwritten] = ['503 store_unavailable not_sent', '503 audit_unavailable not_sent']
    t.strictSame(
      await callAll(bed),
      { start: unread, stop: '200', createMeeting: unwritten, patchMeeting: unwritten, putMeeting: unwritten },
      'a start asks first whether another one is open'
    )
    const underKeys = await callAll(other, newKeys())
    t.strictSame(sent(bed), ['stop'])
    t.match(underKeys, { start: unread, createMeeting: unread, patchMeeting: unread, putMeeting: unread })
    rename('away', 'operations')
  }
)

t.test(
  'a mutation that nobody could write down is unknown until the store is back; a stop is done all the same',
  async t => {
    const { storeFile, call, simulator, store, door } = world
    const bed = world.nextBed()
    simulator.journal.length = 0
    door.hold('POST', 'PATCH', 'PUT')
    const keys = newKeys()
    const said = async (name: Operation): Promise<[Operation, string]> => {
      const reply = await call(name, bed, keys[name])
      return [name, `${says(reply)}${reply.headers['idempotency-replayed'] === undefined ? '' : ' replayed'}`]
    }
    // A start looks before it sends: the others follow it, so that all of them wait for the vendor together.
    const start = said('start')
    await until(() => door.held().length === 1)
    const others = mutations.filter(name => name !== 'start').map(said)
    await until(() => door.held().length === mutations.length)
    const unlock = lockStore(storeFile)
    door.release()
    const told = Object.fromEntries(await Promise.all([start, ...others]))
    const lost = '503 audit_unavailable unknown'
    t.strictSame(told, { start: lost, stop: '200', createMeeting: lost, patchMeeting: lost, putMeeting: lost })

    unlock()
    const ids = Object.values(keys).map(key => key['x-request-id'] ?? '')
    const known = store.sql
      .selectFrom('operations')
      .select('id')
      .where('request_id', 'in', ids)
      .where('state', '=', 'done')
    await until(async () => (await store.engine.read(known.compile())).length === mutations.length)
    t.strictSame(Object.fromEntries(await Promise.all(mutations.map(said))), {
      start: '201 replayed',
      stop: '200 replayed',
      createMeeting: '201 replayed',
      patchMeeting: '200 replayed',
      putMeeting: '200 replayed'
    })
    const posts = simulator.journal.filter(({ method }) => method !== 'GET').length
    t.equal(posts, mutations.length, 'each was sent once')
  }
)

t.test('a gateway that ends: new calls were not sent, and what the vendor holds up is unknown', async t => {
  const { callAll, call, sent, close, simulator, nextBed } = world
  const [bed, other] = [nextBed(), nextBed()]
  simulator.journal.length = 0
  for (const name of mutations) simulator.failNext({ match: use(name, other).vendor, stall: true })
  const held = callAll(other)
  await until(() => sent(other).length === mutations.length)
  const closing = close()
  const refused = '503 shutting_down not_sent'
  const told = Object.fromEntries(await Promise.all(mutations.map(async name => [name, says(await call(name, bed))])))
  t.strictSame(told, {
    start: refused,
    stop: refused,
    createMeeting: refused,
    patchMeeting: refused,
    putMeeting: refused
  })
  const late = '504 upstream_too_late unknown'
  t.strictSame(await held, { start: late, stop: late, createMeeting: late, patchMeeting: late, putMeeting: late })
  await closing
  t.equal(simulator.journal.filter(({ method }) => method !== 'GET').length, mutations.length)
})
