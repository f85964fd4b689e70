import t from 'tap'
import { StopRights } from '../../../src/lifecycle/broadcast/stop-rights.ts'
import type { Priority, Upstreams } from '../../../src/upstream/provider.ts'
import { manualClock } from '../../support/clock.ts'

const meetingOf = (tenantId: string, upstream = 'default') => ({ id: 'm1', tenantId, upstream })

/** Stops that hang at a vendor whose quota keeps ten calls for stops. */
function hanging() {
  const status = () => ({ budget: { quota: 200, windowMs: 60_000 } })
  const upstreams = new Map(['default', 'other'].map(name => [name, { status }])) as unknown as Upstreams
  const rights = new StopRights({ upstreams, fruitlessStops: { isLoop: async () => false }, clock: manualClock() })
  const answers: PromiseWithResolvers<void>[] = []
  return {
    /** Sends so many, and gives the priorities in which they went out. */
    priorities(count: number, meeting: ReturnType<typeof meetingOf>, priority: Priority = 'stop'): Priority[] {
      const priorities: Priority[] = []
      for (let i = 0; i < count; i++) {
        const answer = Promise.withResolvers<void>()
        answers.push(answer)
        const during = rights.during(meeting, priority, priority => {
          priorities.push(priority)
          return answer.promise
        })
        during.catch(() => {}) // a stop may fail
      }
      return priorities
    },
    /** Answers the oldest ones, each second of them with a failure. */
    async answer(count: number): Promise<void> {
      for (const [i, { resolve, reject }] of answers.splice(0, count).entries())
        i % 2 === 0 ? resolve() : reject(new Error('it failed'))
      await new Promise(setImmediate)
    }
  }
}

const five = Array<Priority>(5).fill('stop')

t.test(
  'stops of one tenant that hang have half of what is kept for stops: those of others go out by right',
  async t => {
    const { priorities } = hanging()
    t.strictSame(priorities(8, meetingOf('acme')), [...five, 'mutation', 'mutation', 'mutation'])
    t.strictSame(priorities(6, meetingOf('globex')), [...five, 'mutation'])
    t.strictSame(priorities(1, meetingOf('acme', 'other')), ['stop'], 'each vendor account has its own')
  }
)

t.test('a stop that has ended, however it did, makes room for the next one', async t => {
  const { priorities, answer } = hanging()
  priorities(5, meetingOf('acme'))
  await answer(2)
  t.strictSame(priorities(3, meetingOf('acme')), ['stop', 'stop', 'mutation'])
  await answer(6)
  t.strictSame(priorities(6, meetingOf('acme')), [...five, 'mutation'])
})

t.test('a stop without full rights stays without them, and takes no place of those that have them', async t => {
  const { priorities } = hanging()
  t.strictSame(priorities(2, meetingOf('acme'), 'mutation'), ['mutation', 'mutation'])
  t.strictSame(priorities(5, meetingOf('acme')), five)
})
