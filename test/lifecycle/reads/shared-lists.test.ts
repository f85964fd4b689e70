import t from 'tap'
import { Changes, deadlines } from '../../../src/lifecycle/context.ts'
import { SharedReads } from '../../../src/lifecycle/reads/shared-reads.ts'
import { type ListedRuns, type WhatRunsDeps, whatRuns } from '../../../src/lifecycle/running/what-runs.ts'
import { runOf } from '../../support/broadcast/reconciling.ts'
import { manualClock } from '../../support/clock.ts'

const ttlMs = 5_000

/** Two meetings of a vendor that only shows lists of what runs. */
function world() {
  const clock = manualClock()
  const changes = new Changes()
  const { bounded } = deadlines(60_000, new AbortController().signal)
  const vendor = { running: [runOf('a1', { meeting_id: 'm1' })], asked: 0, beforeAnswer: async () => {} }
  const provider = {
    async findRunning() {
      vendor.asked += 1
      const running = [...vendor.running]
      await vendor.beforeAnswer()
      return { livestreams: running, unreadIn: new Set<string>() }
    },
    findLivestream: async () => null
  }
  const look = whatRuns({
    upstreams: new Map([['default', { habits: { failsWhenNothingIsLive: true }, on: () => provider }]]),
    livestreams: { lastSeenIn: async () => null, list: async () => ({ items: [], total: 0 }) },
    knownMeetings: { has: async () => true, note() {}, spelt: async (one: object) => one },
    rememberLivestream: async () => {},
    isComing: async () => false,
    endingRuns: { isEnding: async () => false },
    ownStarts: { begunRun: () => null, believed() {} },
    heardAtMs: new Map(),
    sightings: { gone: async () => {} },
    clock,
    listReads: new SharedReads<ListedRuns>({ readTtlMs: ttlMs, changes, bounded, clock }),
    changes
  } as unknown as WhatRunsDeps)
  return {
    clock,
    changes,
    vendor,
    async read(id: string): Promise<string | null> {
      const { livestream } = await look(
        { id, tenantId: 'acme', upstream: 'default' },
        'read',
        new AbortController().signal
      )
      return livestream?.id ?? null
    }
  }
}

t.test('a list from before a meeting was changed is not used for it, and stays good for the others', async t => {
  const { read, vendor, changes, clock } = world()
  t.equal(await read('m1'), 'a1')
  t.equal(await read('m2'), null)
  t.equal(vendor.asked, 1, 'they share one')

  vendor.running = [runOf('b1', { meeting_id: 'm2' })]
  changes.note('default/m1')
  t.equal(await read('m1'), null, 'its livestream was stopped')
  t.equal(vendor.asked, 2)
  t.equal(await read('m2'), null, 'as it was within the time that a read may be old')
  t.equal(vendor.asked, 2)

  clock.advance(ttlMs)
  t.equal(await read('m2'), 'b1')
  t.equal(await read('m1'), null)
  t.equal(vendor.asked, 3, 'a list from after the change is good for both')
})

t.test('a list that was asked for before a change and comes after it is from before it', async t => {
  const { read, vendor, changes } = world()
  const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  vendor.beforeAnswer = () => {
    asked.resolve()
    return answer.promise
  }
  const reads = Promise.all([read('m1'), read('m2')])
  await asked.promise
  vendor.running = []
  changes.note('default/m1')
  answer.resolve()
  t.strictSame(await reads, [null, null])
  t.equal(vendor.asked, 2, 'the changed meeting has asked again')
})
