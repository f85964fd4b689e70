import t from 'tap'
import { type Start, spentBefore } from '../../../src/upstream/account/left-before.ts'

const at = (given: Partial<Start> = {}): Start => ({
  quota: { calls: 2_000, seconds: 60 },
  deadlineMs: 10_000,
  nowMs: 500_000,
  bootId: 'this boot',
  isWritable: true,
  ...given
})
const kept = { monotonicMs: 490_000, bootId: 'this boot', spent: [{ calls: 80, forMs: 30_000 }], reserved: 20 }
const known = { calls: 80, untilMs: 520_000 }
/** From now on for a window, and as long as a call may have been under way. */
const lateMs = 570_000
const everything = [{ calls: 2_000, untilMs: lateMs }]

t.test('calls in the quota file count after a kill, and the block that was reserved', async t => {
  const { spent, doubt } = spentBefore(kept, at())
  t.strictSame(spent, [known, { calls: 20, untilMs: lateMs }])
  t.equal(doubt, null)
  const later = spentBefore(kept, at({ nowMs: 1_000_000 }))
  t.strictSame(
    later.spent.filter(({ untilMs }) => untilMs > 1_000_000),
    [{ calls: 20, untilMs: 1_070_000 }],
    'who was asked nothing for long may have sent the block just now'
  )
})

t.test('calls in the quota file count after a graceful stop, and nothing else', async t => {
  t.strictSame(spentBefore({ ...kept, reserved: 0 }, at()), { spent: [known], doubt: null })
  t.strictSame(spentBefore({ ...kept, reserved: 0, spent: [] }, at()).spent, [])
})

t.test('half of the quota counts as used where there is no quota file, and nowhere else', async t => {
  const { spent, doubt } = spentBefore(null, at())
  t.strictSame(spent, [{ calls: 1_000, untilMs: 560_000 }])
  t.match(doubt, /no record.*half of it.*empty data folder/)
})

t.test('three quarters count as used where nothing can be written', async t => {
  const unwritable = at({ isWritable: false })
  t.strictSame(spentBefore(null, unwritable).spent, [{ calls: 1_500, untilMs: 560_000 }])
  const { spent, doubt } = spentBefore(kept, unwritable)
  t.strictSame(spent, [known, { calls: 20, untilMs: lateMs }, { calls: 1_400, untilMs: 560_000 }])
  t.match(doubt, /cannot be written.*three quarters/)
  const much = { ...kept, spent: [{ calls: 1_900, forMs: 30_000 }] }
  t.equal(spentBefore(much, unwritable).spent.length, 2)
})

t.test('a quota file that cannot be read leaves a whole window unknown', async t => {
  const { spent, doubt } = spentBefore('unreadable', at())
  t.strictSame(spent, everything)
  t.match(doubt, /unknown.*nothing but stops/)
})

t.test(
  'a quota file of another boot leaves it unknown too, whatever the clock says, but for that of a graceful stop',
  async t => {
    for (const [what, other] of [
      ['another boot', { bootId: 'another boot' }],
      ['a boot that the system does not tell', { bootId: null }],
      ['a clock that has begun anew', { monotonicMs: 500_001 }]
    ] as const) {
      t.strictSame(spentBefore({ ...kept, ...other }, at()).spent, everything, what)
      const graceful = spentBefore({ ...kept, ...other, reserved: 0 }, at())
      t.strictSame(graceful.spent, [{ calls: 80, untilMs: 530_000 }], `${what}: exact, and of unknown age`)
      t.equal(graceful.doubt, null)
    }
  }
)

t.test('the clock alone tells of a new boot where the system tells none', async t => {
  t.strictSame(spentBefore({ ...kept, bootId: null }, at({ bootId: null })).spent[0], known)
  const begunAnew = { ...kept, bootId: null, monotonicMs: 600_000 }
  t.strictSame(spentBefore(begunAnew, at({ bootId: null })).spent, everything)
})

t.test('a quota file of an earlier version counts for its whole time, and a twentieth of the quota more', async t => {
  const { spent, doubt } = spentBefore({ spent: kept.spent }, at())
  t.strictSame(spent, [
    { calls: 80, untilMs: 530_000 },
    { calls: 100, untilMs: lateMs }
  ])
  t.equal(doubt, null)
})
