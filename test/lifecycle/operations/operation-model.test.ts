import t from 'tap'
import type { SimulatorOptions } from '../../../src/simulator/simulator.ts'
import { seen } from '../../support/broadcast/operation-calls.ts'
import { commands } from '../../support/broadcast/operation-commands.ts'
import { MeetingModel, must, restartable } from '../../support/broadcast/operation-model.ts'
import { inMemory } from '../../support/in-memory.ts'
import { countOf } from '../../support/runner/campaigns.ts'
import fc from '../../support/runner/properties.ts'
import { printSeed } from '../../support/runner/seeds.ts'
import { until } from '../../support/until.ts'

/** Two vendors, as unlike as the contract's open questions allow; both would begin a second run, and let it be seen. */
const vendors: SimulatorOptions[] = [
  { liveAfterMs: 0, livestreamId: 'reused', stopWithNothingLive: '404' },
  { liveAfterMs: 3_000, livestreamId: 'new', stopWithNothingLive: '200', activeDuringInvoked: '404' }
]

for (const vendor of vendors) {
  t.test(`an operation goes its way as drawn, whatever happens: ${JSON.stringify(vendor)}`, async t => {
    const world = await restartable(inMemory(t), { ...vendor, startWhileLive: 'second' })
    const models: MeetingModel[] = []
    printSeed(t)
    await fc.assert(
      fc.asyncProperty(fc.commands(commands, { maxCommands: 15, size: 'max' }), async script => {
        const model = new MeetingModel(world, await world.newMeeting(), await world.newKey())
        await world.pull()
        models.push(model)
        await fc.asyncModelRun(() => ({ model, real: {} }), script)
      }),
      { numRuns: countOf('scripts'), endOnFailure: true }
    )

    await t.test('in the end all of them are settled, and every run that was to be stopped has ended', async t => {
      await world.restart()
      const open = world.store.sql.selectFrom('operations').select('id').where('state', 'in', ['sent', 'unknown'])
      await until(async () => {
        await world.pass(1_000)
        return (await world.store.engine.read(open.compile())).length === 0
      }, 60_000)
      for (const model of models) {
        await model.check()
        if (model.endsStopped) must(model.live().length === 0, 'it was to be stopped, and is live', model.history)
      }
      t.pass(`${models.length} meetings`)
    })
  })
}

t.teardown(() =>
  t.comment(
    [...seen]
      .sort()
      .map(([what, times]) => `${times} × ${what}`)
      .join('\n')
  )
)
