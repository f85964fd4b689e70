/**
 * Runs command lines as another user, one after the other, and prints what became of each. Everything of ours is loaded before, since that
 * user may not read where it stands; a tester who is not root is another user already, for files that are given away with their mode.
 */
import '../../src/commands/doctor/doctor.ts'
import '../../src/commands/key.ts'
import '../../src/commands/serve.ts'
import '../../src/commands/tenant.ts'
import { openStoreHere } from '../../src/store/store.ts'
import { type Outcome, runHere } from './cli.ts'

export interface Case {
  args: string[]
  env: Record<string, string>
}

const [uid, cases] = JSON.parse(process.argv[2] ?? '') as [uid: number, cases: Case[]]
// The driver's native part is loaded with the first connection.
await (await openStoreHere(`${cases[0]?.env.SPARE}/spare.db`)).close()
if (process.getuid?.() === 0) {
  process.setgroups?.([])
  process.setgid?.(uid)
  process.setuid?.(uid)
}
const outcomes: Outcome[] = []
for (const { args, env } of cases) outcomes.push(await runHere(args, env))
process.stdout.write(JSON.stringify({ uid: process.getuid?.(), gid: process.getgid?.(), outcomes }))
