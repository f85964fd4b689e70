/** The other part of `ten-thousand-starts.test.ts`: the gateway is killed again and again, and started on the same store. */
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { type Running, startNode } from '../support/cli.ts'
import { client } from '../support/gateway.ts'
import { answers, type Campaign, Dice, openCampaign, seed, wanted } from './campaign.ts'
import { inMemory } from './in-memory.ts'
import { runRounds } from './start-rounds.ts'

const meetingsInEach = 3
const rounds = Math.ceil(wanted('LIVEGATE_STARTS', 1_000) / 1_008)
const killsInARound = 4

t.test(
  `${answers.length * meetingsInEach * rounds} starts of a gateway that is killed: none doubled, none lost, every answer true`,
  async t => {
    t.comment(`LIVEGATE_SEED=${seed}`)
    const campaign = await openCampaign(inMemory(t), meetingsInEach)
    let port = '0'
    const serve = async (): Promise<Running & { url: string }> => {
      const running = startNode(t, ['test/guarantees/serve-campaign.ts'], { ...campaign.env, PORT: port })
      const [, url = ''] = await running.line(/listens at (\S+)/)
      port = new URL(url).port
      return { ...running, url }
    }
    let running = await serve()
    const call = client(running.url, campaign.authorization)
    const done = runRounds(campaign, { call, rounds, faults: 1, spreadMs: 6_000 })

    const dice = new Dice('kills')
    for (let kill = 1; kill <= killsInARound * rounds; kill++) {
      await pause(dice.between(800, 2_500))
      const waiting = new Map(campaign.waiting)
      running.signal('SIGKILL')
      const restarted = running.ended.then(serve)
      campaign.serving = restarted
      await running.ended
      t.comment(`killed with starts ${JSON.stringify(await caught(campaign, waiting))}`)
      running = await restarted
      // Between the rounds' kills there is time for what only two looks 5 s apart can settle.
      if (kill % killsInARound === 0) await pause(12_000)
    }
    await done
    t.strictSame(campaign.broken, [])
  }
)

/** In which states the kill has found the starts whose callers waited. */
async function caught({ operations, worlds }: Campaign, waiting: Map<string, string>): Promise<Record<string, number>> {
  const rows = new Map((await operations.list({ limit: 100_000 })).map(row => [row.requestId, row.state]))
  const bodies = worlds.flatMap(({ simulator }) => simulator.journal.map(({ body }) => body)).join()
  const states: Record<string, number> = {}
  for (const [requestId, name] of waiting) {
    const state = rows.get(requestId) ?? 'not recorded yet'
    const where = state === 'sent' && !bodies.includes(`"${name}"`) ? 'recorded and not sent' : state
    states[where] = (states[where] ?? 0) + 1
  }
  return states
}
