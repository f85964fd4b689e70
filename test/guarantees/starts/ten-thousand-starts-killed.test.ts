/** The other part of `ten-thousand-starts.test.ts`: the gateway is killed again and again, and started on the same store. */
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { answers, type Campaign, inSlots, openCampaign, startsOf } from '../../support/campaigns/campaign.ts'
import { holdingFault } from '../../support/campaigns/campaign-faults.ts'
import { Dice, slowestMs } from '../../support/campaigns/dice.ts'
import { runRounds } from '../../support/campaigns/start-rounds.ts'
import { type Running, runProcess, startNode } from '../../support/cli.ts'
import { type Client, client } from '../../support/gateway.ts'
import { inMemory } from '../../support/in-memory.ts'
import { programOf } from '../../support/runner/built.ts'
import { countOf } from '../../support/runner/campaigns.ts'
import { printSeed } from '../../support/runner/seeds.ts'

const meetingsInEach = 3
const rounds = countOf('killedStarts') / (answers.length * meetingsInEach)
const killsInARound = 4

t.setTimeout(rounds * slowestMs)
t.test(
  `${answers.length * meetingsInEach * rounds} starts of a gateway that is killed: none doubled, none lost, every answer true`,
  async t => {
    printSeed(t)
    const campaign = await openCampaign(inMemory(t), meetingsInEach)
    // A process that is killed keeps nothing of what it has compiled: this one does.
    await runProcess(t, ['openapi'])
    let port = '0'
    const serve = async (): Promise<Running & { url: string }> => {
      const running = startNode(t, [programOf('test/support/campaigns/serve-campaign.ts')], {
        ...campaign.env,
        PORT: port
      })
      const [, url = ''] = await running.line(/listens at (\S+)/)
      port = new URL(url).port
      return { ...running, url }
    }
    let running = await serve()
    campaign.serving = Promise.resolve()
    const { call, waiting } = counted(client(running.url, campaign.authorization))
    const done = runRounds(campaign, {
      call: inSlots(call),
      rounds,
      faults: 1,
      fault: holdingFault,
      spreadMs: 6_000
    })

    const dice = new Dice('kills')
    for (let kill = 1; kill <= killsInARound * rounds; kill++) {
      await pause(dice.between(800, 2_500))
      const caught = new Map(waiting)
      running.signal('SIGKILL')
      const restarted = running.ended.then(serve)
      campaign.serving = restarted
      await running.ended
      t.comment(`killed with starts ${JSON.stringify(await statesOf(campaign, caught))}`)
      running = await restarted
      // Between the rounds' kills there is time for what only two looks 5 s apart can settle.
      if (kill % killsInARound === 0 && kill < killsInARound * rounds) await pause(12_000)
    }
    await done
    t.strictSame(campaign.broken, [])
  }
)

/** Knows the starts whose callers wait: request id and name. */
function counted(client: Client): { call: Client; waiting: Map<string, string> } {
  const waiting = new Map<string, string>()
  return {
    waiting,
    async call(method, path, body, headers) {
      const id = headers?.['x-request-id'] ?? ''
      if (typeof body === 'object' && 'name' in body) waiting.set(id, String(body.name))
      return client(method, path, body, headers).finally(() => waiting.delete(id))
    }
  }
}

/** In which states the kill has found the starts whose callers waited. */
async function statesOf(
  { operations, worlds }: Campaign,
  caught: Map<string, string>
): Promise<Record<string, number>> {
  const rows = new Map((await operations.list({ limit: 1_000_000 })).map(row => [row.requestId, row.state]))
  const sent = worlds.flatMap(world => world.meetings.flatMap(meeting => startsOf(world, meeting)))
  const names = new Set(sent.map(({ body }) => body.split('"')[3]))
  const states: Record<string, number> = {}
  for (const [requestId, name] of caught) {
    const state = rows.get(requestId) ?? 'not recorded yet'
    const where = state === 'sent' && !names.has(name) ? 'recorded and not sent' : state
    states[where] = (states[where] ?? 0) + 1
  }
  return states
}
