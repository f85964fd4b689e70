import type { Generator } from '../support/bench/generator.ts'
import type { Scene } from '../support/bench/scene.ts'
import { compare, type Row, startAll } from './compare.ts'
import { type ScenarioName, scenarioNames, scenarios } from './scenarios.ts'
import { costTable } from './tables.ts'

const size = { rounds: 1, reads: 1_024, changes: 128, meetings: 1_024, settleMs: 100 }

/** The whole comparison once and small. Times decide nothing here; wrong answers and wrong counts do. @throws Error */
export async function smoke(here: Scene, generator: Generator): Promise<void> {
  const rows = await compare(await startAll(here, size), generator, size)
  console.log(costTable(rows))
  const faults = rows.flatMap(row => [...wrongAnswers(row), ...scenarioNames.flatMap(name => wrongCounts(row, name))])
  if (faults.length > 0) throw new Error(faults.join('\n'))
  console.log(`${rows.reduce((sum, { checked }) => sum + checked, 0)} answers, all of them right`)
}

function wrongAnswers({ contender, failed, wrong }: Row): string[] {
  return failed === 0 ? [] : [`${contender}: ${failed} wrong answers, ${wrong.join('; ')}`]
}

/** Only Livegate keeps calls from the vendor; all others pass on each, once. */
function wrongCounts({ contender, vendorCalls }: Row, name: ScenarioName): string[] {
  const each = vendorCalls[name]
  if (each === undefined) return []
  const { least, most } = contender.startsWith('Livegate') ? scenarios[name].vendorCalls : { least: 1, most: 1 }
  return each >= least && each <= most ? [] : [`${contender}, ${scenarios[name].name}: ${each} vendor calls a request`]
}
