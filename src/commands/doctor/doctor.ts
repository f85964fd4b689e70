import { CommandError, type Io, print, UsageError } from '../process/io.ts'
import { type Check, lineOf } from './check.ts'
import { checkAgainstStore } from './clock.ts'
import { checkConfiguration } from './configuration.ts'
import { checkCredentials } from './credentials.ts'
import { checkHabits } from './habits.ts'
import type { DoctorOptions } from './options.ts'
import { realSurroundings, type Surroundings } from './probe/surroundings.ts'
import { checkDisk, checkStore } from './store.ts'
import { checkTenants } from './tenants.ts'
import { checkWebhooks } from './webhooks.ts'

/** Checks whether a gateway with this environment would work: exit code 0, or 1 when something is wrong. Changes nothing. */
export async function doctor(
  io: Io,
  options: DoctorOptions,
  surroundings: Surroundings = realSurroundings
): Promise<void> {
  const { probeMeeting: meetingId, upstream, yes } = options
  if (meetingId !== undefined) {
    const { probeMeeting } = await import('./probe/probe-meeting.ts')
    return probeMeeting(io, { ...options, meetingId }, surroundings)
  }
  if (upstream !== undefined || yes) throw new UsageError('--upstream and --yes go with --probe-meeting')

  const checks = await examineAll(io, surroundings)
  const wrong = checks.filter(({ status }) => status === 'failed').length
  print(io, options, { ok: wrong === 0, checks }, checks.map(lineOf).join('\n'))
  if (wrong > 0) throw new CommandError(`${wrong} of ${checks.length} checks failed`)
}

async function examineAll(io: Io, { clock }: Surroundings): Promise<Check[]> {
  const { checks, store, accounts, deadlineMs, diskFloorMb, publicUrl } = checkConfiguration(io.env)
  const [inStore, disk, atVendors, habits] = await Promise.all([
    store && checkStore(io, store),
    store && checkDisk(store, diskFloorMb),
    Promise.all(accounts.map(account => checkCredentials(account, { deadlineMs, clock }))),
    Promise.all(accounts.map(account => (store === null ? [] : checkHabits(account, store.auditKeys.dataDir, clock))))
  ])
  const seen = inStore?.seen ?? null
  const webhooks = await Promise.all(
    accounts.map(account =>
      checkWebhooks(account, { deadlineMs, clock, publicUrl, count: seen?.webhooks.get(account.name) })
    )
  )
  return [
    ...checks,
    ...(inStore?.checks ?? []),
    ...(disk === null ? [] : [disk]),
    // Without any upstream every tenant would be reported, and the configuration has said why already.
    ...(accounts.length === 0 ? [] : checkTenants(accounts, seen)),
    ...checkAgainstStore(seen?.newestEventMs ?? null, clock.now()),
    ...atVendors.flat(),
    ...habits.flat(),
    ...webhooks.flat()
  ]
}
