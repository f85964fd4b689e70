import type { UpstreamAccount } from '../../domain/upstream-account.ts'
import { Habits, inWords } from '../../upstream/account/observed.ts'
import { habitsBefore, quotaFileIn, readQuotaFile } from '../../upstream/quota/quota-file.ts'
import { type Check, ok } from './check.ts'
import type { Surroundings } from './probe/surroundings.ts'

/** Tells of a vendor's habits, as a gateway has left them in the data folder. Of a vendor that has shown none it says nothing. */
export async function checkHabits(
  account: UpstreamAccount,
  dataDir: string,
  clock: Surroundings['clock']
): Promise<Check[]> {
  const record = await readQuotaFile(quotaFileIn(dataDir, account.name))
  const habits = new Habits({ account, clock, before: habitsBefore(record, clock.now()) })
  const ways = inWords(habits.kept())
  if (ways.length === 0) return []
  return [{ check: 'habits', subject: `the upstream ${account.name}`, ...ok(`it ${ways.join('; and it ')}`) }]
}
