import type { UpstreamAccount } from '../../domain/upstream-account.ts'
import { Habits, inWords } from '../../upstream/habits.ts'
import { habitsBefore, readRecord, recordFile } from '../../upstream/record.ts'
import { type Check, ok } from './check.ts'
import type { World } from './world.ts'

/** What a gateway has seen of a vendor's ways, and left in the data folder. Nothing is said of one that has shown none. */
export async function checkHabits(account: UpstreamAccount, dataDir: string, clock: World['clock']): Promise<Check[]> {
  const record = await readRecord(recordFile(dataDir, account.name))
  const habits = new Habits({ account, clock, before: habitsBefore(record, clock.now()) })
  const ways = inWords(habits.kept())
  if (ways.length === 0) return []
  return [{ check: 'habits', subject: `the upstream ${account.name}`, ...ok(`it ${ways.join('; and it ')}`) }]
}
