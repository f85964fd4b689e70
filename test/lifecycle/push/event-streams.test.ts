import t from 'tap'
import type { Caller } from '../../../src/domain/caller.ts'
import { ShuttingDown, Unauthorized } from '../../../src/domain/refusals/failures.ts'
import type { Joined, Position, Reader } from '../../../src/lifecycle/push/event-feed.ts'
import { EventStreams, type EventStreamsDeps, type EventWire } from '../../../src/lifecycle/push/event-streams.ts'
import type { StoredRunEvent } from '../../../src/store/tables/runs/run-events.ts'
import { manualClock } from '../../support/clock.ts'
import { refusalOf } from '../../support/store/helper.ts'

const key = { digest: 'd', expiresAtMs: null, revokedAtMs: null, scopes: ['livestreams:read'] }
const caller = { tenant: { id: 'acme' }, key } as unknown as Caller
const all = { meetingIds: [], lastId: null }

/** A wire that keeps what happens to it. */
function wire() {
  const done: string[] = []
  let closed = (): void => {}
  const one = {
    done,
    unreadBytes: 0,
    isClosed: false,
    begin: ({ seq }: Position) => void done.push(`begin ${seq}`),
    write: (events: readonly StoredRunEvent[]) => void done.push(`write ${events.length}`),
    heartbeat: (toldUpTo: number | null) => void done.push(`heartbeat ${toldUpTo}`),
    end() {
      done.push('end')
      closed()
    },
    cut() {
      done.push('cut')
      closed()
    },
    onTaken: () => {},
    onClose(callback: () => void) {
      closed = callback
    }
  } satisfies EventWire & { done: string[] }
  return one
}

function streams() {
  const clock = manualClock()
  const readers: Reader[] = []
  const told: { upTo: number | null; left: number } = { upTo: 7, left: 0 }
  const known = { key: key as typeof key | null, tenant: { suspended: false } as object | null, pulledAtMs: 0 }
  const feed = {
    positionAfter: async (): Promise<Position> => ({ seq: 7, isComplete: true }),
    join(reader: Reader): Joined {
      readers.push(reader)
      return { toldUpTo: () => told.upTo, leave: () => void told.left++ }
    }
  }
  const directory = {
    meeting: async () => null,
    keyByDigest: () => known.key,
    tenant: () => known.tenant,
    get pulledAtMs() {
      return known.pulledAtMs
    }
  }
  const adopt = { meeting: async (tenantId: string, id: string) => ({ id, tenantId, upstream: 'default' }) }
  const deps = { feed, directory, adopt, clock } as unknown as EventStreamsDeps
  return { streams: new EventStreams(deps), clock, readers, told, known, feed }
}

t.test(
  'a stream on which nothing comes has a heartbeat each 15 s, with the place up to which all was told',
  async t => {
    const { streams: open, clock, readers, told } = streams()
    const one = wire()
    await open.stream(caller, all, one)
    clock.advance(14_999)
    open.sweep()
    t.strictSame(one.done, ['begin 7'])
    clock.advance(1)
    open.sweep()
    t.strictSame(one.done.splice(0), ['begin 7', 'heartbeat 7'])
    clock.advance(10_000)
    readers[0]?.take([{} as StoredRunEvent])
    clock.advance(14_000)
    open.sweep()
    t.strictSame(one.done.splice(0), ['write 1'], 'an event is a sign of life too')
    told.upTo = null
    clock.advance(1_000)
    open.sweep()
    t.strictSame(one.done, ['heartbeat null'])
  }
)

t.test('a reader that leaves too much lying about is cut, and forgotten', async t => {
  const { streams: open, clock, readers, told } = streams()
  const one = wire()
  await open.stream(caller, all, one)
  t.equal(readers[0]?.isReady(), true)
  one.unreadBytes = 128 * 1024
  t.equal(readers[0]?.isReady(), false)
  readers[0]?.take([{} as StoredRunEvent])
  one.unreadBytes += 1
  readers[0]?.take([{} as StoredRunEvent])
  t.strictSame(one.done, ['begin 7', 'write 1', 'cut'])
  t.equal(told.left, 1)
  clock.advance(60_000)
  open.sweep()
  t.equal(one.done.length, 3)
})

t.test('a caller that may not read any more has its stream ended, also one that does not read', async t => {
  const away: [string, (world: ReturnType<typeof streams>) => unknown][] = [
    ['revoked', ({ known }) => Object.assign(known, { key: { ...key, revokedAtMs: 1 } })],
    ['expired', ({ known }) => Object.assign(known, { key: { ...key, expiresAtMs: 1 } })],
    ['unknown', ({ known }) => Object.assign(known, { key: null })],
    ['without its scope', ({ known }) => Object.assign(known, { key: { ...key, scopes: [] } })],
    ['suspended', ({ known }) => Object.assign(known, { tenant: { suspended: true } })],
    ['without its tenant', ({ known }) => Object.assign(known, { tenant: null })],
    ['not to be checked for a minute', ({ clock }) => clock.advance(60_001)]
  ]
  for (const [name, change] of away) {
    const world = streams()
    const [one, slow] = [wire(), wire()]
    await world.streams.stream(caller, all, one)
    await world.streams.stream(caller, all, slow)
    slow.unreadBytes = 1
    change(world)
    world.streams.sweep()
    t.strictSame(
      [one.done, slow.done],
      [
        ['begin 7', 'end'],
        ['begin 7', 'cut']
      ],
      name
    )
    t.equal(world.told.left, 2)
    const refused = await refusalOf(world.streams.stream(caller, all, wire()))
    t.not(refused, 'accepted', `${name}: no other is opened`)
  }
})

t.test('a caller is checked once more behind the looks into the store', async t => {
  const { streams: open, known, feed } = streams()
  const one = wire()
  feed.positionAfter = async () => {
    known.key = null
    return { seq: 7, isComplete: true }
  }
  t.type(await refusalOf(open.stream(caller, { ...all, meetingIds: ['m1'] }, one)), Unauthorized)
  t.strictSame(one.done, [])
})

t.test('a caller that hangs up while its stream is opened leaves nothing behind', async t => {
  const { streams: open, readers } = streams()
  const one = wire()
  await open.stream(caller, all, { ...one, isClosed: true })
  t.strictSame([one.done, readers], [[], []])
})

t.test('at the end of the gateway all streams end, and none begins', async t => {
  const { streams: open, readers } = streams()
  const one = wire()
  await open.stream(caller, { ...all, meetingIds: ['M1', 'm2'] }, one)
  t.strictSame(readers[0]?.meetingIds, new Set(['M1', 'm2']))
  open.endAll()
  t.strictSame(one.done, ['begin 7', 'end'])
  t.type(await refusalOf(open.stream(caller, all, wire())), ShuttingDown)
})
