import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { load } from '../../support/campaigns/crash-load.ts'
import { compare } from '../../support/campaigns/crash-proof.ts'
import { crashWorld } from '../../support/campaigns/crash-world.ts'
import { Dice } from '../../support/campaigns/dice.ts'
import { runHere } from '../../support/cli.ts'
import { countOf, inFull } from '../../support/runner/campaigns.ts'
import { printSeed } from '../../support/runner/seeds.ts'

/** Choices of the dice are the same for one seed, the machine's moments are not. */
const crashes = countOf('crashes')
/** A store is proved from its first event after each crash: so that this stays quick, it gets a successor. */
const crashesAStore = 20
/** So many calls are answered before a crash. The short run shares its time with other tests. */
const answers = inFull ? { least: 100, more: 500 } : { least: 10, more: 70 }
/** In some rounds the load goes on until reads and refusals are old enough to be asked for. */
const longRound = inFull ? 10 : crashes

printSeed(t)
const dice = new Dice('crashes')
const random = (): number => dice.next()
const sum = { calls: 0, answered: 0, mutations: 0, settledReads: 0, tooSlow: 0, upstream: 0, missing: 0 }

for (let left = crashes; left > 0; left -= crashesAStore) {
  const rounds = Math.min(left, crashesAStore)
  t.test(`after kill -9 at any moment under load nothing is missing in the log: ${rounds} crashes`, async t => {
    const world = await crashWorld(t)
    const cutOff = new Set<string>()
    let serving = world.start()
    for (let round = 1; round <= rounds; round++) {
      const url = await serving.ready()
      const { process } = serving
      // To start takes longer than all else here: the successor is there already, and waits for the store to be free.
      serving = world.start()
      const vendorHad = world.simulator.journal.length
      const { calls, answered, expectTheEnd, ended } = load(url, world.tenants, random)
      await Promise.race([answered(answers.least + random() * answers.more), ended])
      if (round % longRound === 0) await Promise.race([pause(2_500), ended])
      // The worst moments: when the vendor has just heard of something, when a caller has just had an answer; and any.
      const moments = [world.nextMutation, () => answered(1), () => pause(random() * 20)]
      await Promise.race([moments[round % moments.length]?.(), ended])
      expectTheEnd()
      const killedAtMs = performance.now()
      process.signal('SIGKILL')
      await Promise.all([process.ended, ended])
      // One that is killed while it repairs what the last one left must leave no less.
      if (random() < 0.15) {
        await pause(random() * 300)
        serving.process.signal('SIGKILL')
        await serving.process.ended
        serving = world.start()
      }
      await serving.ready()

      const events = await world.newEvents()
      const journal = world.simulator.journal.slice(vendorHad)
      const { missing, counts } = compare({ calls, journal, events, cutOff, killedAtMs })
      t.strictSame(missing, [], `crash ${round}: ${JSON.stringify(counts)}`)
      t.match(await runHere(['audit', 'verify'], world.env), { code: 0, stderr: '' }, 'the log holds')

      for (const [what, count] of Object.entries(counts)) sum[what as keyof typeof counts] += count
      sum.missing += missing.length
    }
  })
}

t.test('there was much to be missed', async t => {
  t.comment(`${crashes} crashes: ${JSON.stringify(sum)}`)
  t.ok(sum.calls > sum.answered, 'calls were under way at the end')
  for (const what of ['mutations', 'settledReads', 'upstream'] as const) t.ok(sum[what] >= crashes, what)
})
