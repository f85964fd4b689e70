import t from 'tap'
import type { Fault } from '../../../src/simulator/simulator.ts'
import { manualClock } from '../../support/clock.ts'
import { gateway } from '../../support/gateway.ts'
import fc from '../../support/runner/properties.ts'
import { shortDeadlineMs } from '../../support/short-deadline.ts'
import { until } from '../../support/until.ts'

/** Faults of the vendor's answer to a start, before or after it did the work. */
const faults: Fault[] = [
  {},
  { hangUp: true },
  { hangUp: true, afterWork: true },
  { status: 500 },
  { status: 500, afterWork: true },
  { status: 429, retryAfterSeconds: 1 },
  { garbage: true, afterWork: true },
  { mutate: 'null_data', afterWork: true },
  { stall: true, afterWork: true },
  { status: 408 },
  { status: 401 }
]

t.test('callers who ask again until they are told start one livestream, whatever happens to the answers', async t => {
  const clock = manualClock()
  const { asAcme, asGlobex, meeting, otherMeeting, simulator, directory } = await gateway(t, {
    clock,
    slowDisk: true,
    config: { deadlineMs: await shortDeadlineMs(t) },
    simulator: { journalLimit: 100_000 }
  })

  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms)
    await directory.pull() // else the gateway would think that it hasn't read its store for so long
  }

  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(faults.length - 1), { maxLength: 4 }),
      fc.integer({ min: 1, max: 4 }),
      fc.constantFrom({ call: asAcme, id: meeting }, { call: asGlobex, id: otherMeeting }),
      async (kinds, callers, { call, id }) => {
        const startsBefore = starts(simulator.livestreams(), id)
        simulator.failNext(kinds.map(kind => ({ ...faults[kind], match: { method: 'POST' } })))

        const told = await Promise.all(
          Array.from({ length: callers }, async () => {
            let last = ''
            for (let tries = 0; tries < 20; tries++) {
              const reply = await call('POST', `/v2/meetings/${id}/livestreams`)
              if (reply.statusCode < 300)
                return { id: reply.json().data.id as string, started: reply.statusCode === 201 }
              last = reply.body
              if (reply.statusCode >= 409) await pass(31_000) // as told: nothing is sent before
            }
            throw new Error(`nobody was told what became of it: ${last}`)
          })
        )

        simulator.clearFaults()
        t.equal(starts(simulator.livestreams(), id) - startsBefore, 1, 'one run')
        t.equal(new Set(told.map(({ id }) => id)).size, 1, 'all were told the same livestream')
        t.ok(told.filter(({ started }) => started).length <= 1, 'at most one of them began it')
        // With so short a deadline a busy machine may lose the answer of a stop too.
        const stop = () => call('POST', `/v2/meetings/${id}/active-livestream/stop`)
        await until(async () => (await stop()).statusCode === 200)
        t.equal(simulator.livestreams().filter(({ status }) => status !== 'IDLE').length, 0)
        await pass(60_000)
      }
    ),
    { numRuns: 40 }
  )
})

function starts(livestreams: { meeting_id: string | null; starts: number }[], meetingId: string): number {
  return livestreams.filter(({ meeting_id }) => meeting_id === meetingId).reduce((sum, { starts }) => sum + starts, 0)
}
