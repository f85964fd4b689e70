/**
 * A vendor that answers anything for a while: any status, any shape, in time or late, whether it does what it was asked for or not.
 * Then it is honest again. Other choices: `LIVEGATE_SEED=<seed>`.
 */
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import { settleMs } from '../../support/campaigns/campaign-faults.ts'
import { type Asked, confusion } from '../../support/campaigns/confusion.ts'
import { Dice } from '../../support/campaigns/dice.ts'
import { plenty } from '../../support/config.ts'
import { type Client, gateway, type Reply } from '../../support/gateway.ts'
import { latestMs } from '../../support/grace.ts'
import { printSeed } from '../../support/runner/seeds.ts'
import { until } from '../../support/until.ts'

const confusedForMs = 8_000
/** Long enough for a busy machine: whoever is not confused is answered in time. */
const deadlineMs = 2_000
const meetings = 24
/** As the vendor's, which locks out whoever exceeds it. */
const quota = { calls: 2_000, seconds: 60 }

t.setTimeout(300_000)
t.test('nothing is left live, doubled, or held back, whatever a vendor says for a while', async t => {
  printSeed(t)
  const confused: string[] = []
  const calm: string[] = []
  const world = await gateway(t, {
    config: { deadlineMs, settleMs, readLimit: plenty, writeLimit: plenty },
    quota,
    simulator: { startWhileLive: 'second', liveAfterMs: 300, quota: '2000/60,300' },
    async before(store, simulator) {
      confused.push(...Array.from({ length: meetings }, () => simulator.addMeeting().id))
      calm.push(...Array.from({ length: 8 }, () => simulator.addMeeting().id))
      await meetingsIn(store).assign('acme', 'default', confused, Date.now())
      await meetingsIn(store).assign('globex', 'default', calm, Date.now())
    }
  })
  const { simulator, store, asAcme, asGlobex } = world
  const operations = operationsIn(store)
  const wrong: string[] = []
  const checked = async (call: Promise<Reply>, what: string): Promise<Reply> => {
    const reply = await call
    const problem = isWellFormed(reply)
    if (problem !== null) wrong.push(`${what}: ${problem}: ${reply.statusCode} ${reply.body.slice(0, 300)}`)
    return reply
  }

  let calmMs = 0
  for (const meeting of calm) {
    const startedAtMs = performance.now()
    await asGlobex('POST', `/v2/meetings/${meeting}/livestreams`)
    calmMs = Math.max(calmMs, performance.now() - startedAtMs)
  }
  const foreign = simulator.livestreams()[0]?.id ?? ''
  confuse(confused, foreign)
  const endsAtMs = performance.now() + confusedForMs
  await Promise.all([
    ...confused.map((meeting, i) => live(meeting, `meeting-${i}`, endsAtMs)),
    ...calm.map(async (meeting, i) => {
      await pause(((i + 0.5) * confusedForMs) / calm.length)
      const startedAtMs = performance.now()
      const { statusCode, body } = await asGlobex('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
      const tookMs = performance.now() - startedAtMs
      if (statusCode !== 200) wrong.push(`another tenant's stop was answered ${body}`)
      if (tookMs > latestMs(3_000, calmMs)) wrong.push(`another tenant's stop took ${tookMs} ms`)
    })
  ])
  const last = confused.map((meeting, i) => ({ meeting, word: i % 2 === 0 ? ('stop' as const) : ('start' as const) }))
  // Half of the stops are said while the vendor is still confused, and only once they were taken: the rest is the gateway's.
  await Promise.all(last.filter(({ word }) => word === 'stop').map(({ meeting }) => sayStop(meeting)))
  simulator.clearFaults()
  const honestFromMs = Date.now()
  await until(async () => (await operations.unsettled()).length === 0, 90_000).catch(() =>
    wrong.push('an operation stays open')
  )
  for (const { meeting } of last.filter(({ word }) => word === 'stop')) {
    if (running(meeting) > 0) wrong.push(`${meeting} was to be stopped, and runs ${JSON.stringify(callsOf(meeting))}`)
  }
  await Promise.all(
    last
      .filter(({ word }) => word === 'start')
      .map(async ({ meeting }) => {
        const reply = await answered(asAcme, `/v2/meetings/${meeting}/livestreams`, [200, 201])
        if (running(meeting) !== 1) wrong.push(`${running(meeting)} run after a start: ${reply?.body}`)
        await answered(asAcme, `/v2/meetings/${meeting}/active-livestream/stop`, [200, 404])
        if (running(meeting) > 0) wrong.push(`${meeting} goes on after its stop`)
      })
  )
  t.strictSame(wrong, [])
  t.strictSame(doubles(), [], 'one run at a time')
  t.notOk(
    simulator.journal.some(({ status, fault }) => status === 429 && fault === undefined),
    'the quota is not used up'
  )
  t.ok(simulator.journal.some(({ at }) => at > honestFromMs))

  /** Every call of these meetings, and all that is asked of livestreams. */
  function confuse(ids: string[], foreign: string): void {
    const queue = (name: string, match: { method: string; path: string }, asked: Asked): void => {
      const dice = new Dice(name)
      simulator.failNext(Array.from({ length: 80 }, () => ({ ...confusion(dice, asked, foreign, deadlineMs), match })))
    }
    for (const [i, id] of ids.entries()) {
      queue(`start ${i}`, { method: 'POST', path: `/meetings/${id}/livestreams` }, 'start')
      queue(`stop ${i}`, { method: 'POST', path: `/meetings/${id}/active-livestream/stop` }, 'stop')
      queue(`look ${i}`, { method: 'GET', path: `/meetings/${id}/active-livestream` }, 'look')
      queue(`meeting ${i}`, { method: 'GET', path: `/meetings/${id}` }, 'other')
    }
    for (let i = 0; i < 5; i++) queue(`livestreams ${i}`, { method: 'GET', path: '/livestreams**' }, 'other')
  }

  /** Starts, stops and looks, in any order. */
  async function live(meeting: string, name: string, endsAtMs: number): Promise<void> {
    const dice = new Dice(name)
    const path = `/v2/meetings/${meeting}`
    for (let i = 0; performance.now() < endsAtMs; i++) {
      const headers = dice.chance(0.5) ? { 'idempotency-key': `${name}-${dice.between(0, i)}` } : {}
      await dice.pick([
        () => checked(asAcme('POST', `${path}/livestreams`, {}, headers), 'start'),
        () => checked(asAcme('POST', `${path}/active-livestream/stop`, undefined, headers), 'stop'),
        () => checked(asAcme('GET', `${path}/active-livestream`), 'look')
      ])()
      await pause(dice.between(20, 500))
    }
  }

  /** Until it was taken: done, nothing live, or under way. */
  async function sayStop(meeting: string): Promise<void> {
    for (;;) {
      const path = `/v2/meetings/${meeting}/active-livestream/stop`
      const { statusCode, json } = await checked(asAcme('POST', path), 'last stop')
      if (statusCode < 300 || statusCode === 404 || json().error.outcome === 'unknown') return
      await pause(200)
    }
  }

  function running(meeting: string): number {
    const sessions = simulator.livestreams().filter(one => one.meeting_id === meeting)
    return sessions.flatMap(one => one.sessions).filter(({ stopped_time }) => stopped_time === null).length
  }

  function callsOf(meeting: string): unknown[] {
    const calls = simulator.journal.filter(({ target }) => target.includes(meeting)).slice(-25)
    return calls.map(({ at, method, target, status, executed, fault }) => {
      const body = JSON.stringify(fault?.body ?? null).slice(0, 60)
      return `${new Date(at).toISOString().slice(17)} ${method} ${target.slice(-12)} ${status} ${executed} ${body}`
    })
  }

  /** Meetings in which one run had not ended when the next began. */
  function doubles(): unknown[] {
    return confused.flatMap(meeting => {
      const runs = simulator
        .livestreams()
        .filter(one => one.meeting_id === meeting)
        .flatMap(one => one.sessions)
        .sort((a, b) => ((a.invoked_time ?? '') < (b.invoked_time ?? '') ? -1 : 1))
      const isDouble = runs.some((run, i) => i > 0 && (run.invoked_time ?? '') < (runs[i - 1]?.stopped_time ?? '9'))
      return isDouble ? [callsOf(meeting)] : []
    })
  }
})

/** Asks until the answer is one of these. */
async function answered(call: Client, path: string, statuses: number[]): Promise<Reply | null> {
  for (const untilMs = performance.now() + 60_000; performance.now() < untilMs; await pause(300)) {
    const reply = await call('POST', path)
    if (statuses.includes(reply.statusCode)) return reply
  }
  return null
}

/** Every answer is data or an error of ours; of what is not a mere look an error says its outcome. Null: it is so. */
function isWellFormed({ statusCode, json }: Reply): string | null {
  let body: { success?: unknown; data?: unknown; error?: { code?: unknown; type?: unknown; outcome?: unknown } }
  try {
    body = json()
  } catch {
    return 'no JSON'
  }
  if (statusCode < 300) return body.success === true && body.data !== undefined ? null : 'no data'
  if (typeof body.error?.type !== 'string' || body.error.code !== statusCode) return 'no error'
  const isOfVendor = /^upstream_|^start_|^still_/.test(body.error.type)
  if (!isOfVendor) return statusCode < 500 || typeof body.error.outcome === 'string' ? null : 'no outcome'
  return null
}
