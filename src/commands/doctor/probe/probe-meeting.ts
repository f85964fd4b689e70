import { readConfig } from '../../../config/config.ts'
import { isVendorId, likelySpelling } from '../../../domain/id.ts'
import { isOver, isRunning } from '../../../domain/livestream.ts'
import {
  Failure,
  UpstreamCredentialsRefused,
  UpstreamFailed,
  UpstreamRefused
} from '../../../domain/refusals/failures.ts'
import type { UpstreamAccount } from '../../../domain/upstream-account.ts'
import type { Secret } from '../../../domain/values/secret.ts'
import { usualVendor } from '../../../simulator/simulator.ts'
import { isAtHome } from '../../../store/homes.ts'
import { livestreamsIn } from '../../../store/tables/livestreams.ts'
import { meetingsIn } from '../../../store/tables/meetings.ts'
import { operationsIn } from '../../../store/tables/operations.ts'
import { verifyCredential } from '../../../upstream/account/verify-credential.ts'
import { VendorInspector, whyNoAnswer } from '../../../upstream/transport/vendor-inspector.ts'
import { type Vendor, vendorNamed } from '../../../upstream/vendors/vendor.ts'
import { vendors } from '../../../upstream/vendors/vendors.ts'
import { CommandError, type Io, print, UsageError } from '../../process/io.ts'
import { usualUpstream, withUpstream } from '../../process/upstream-accounts.ts'
import { inWords, withSnapshot } from '../../process/with-store.ts'
import type { DoctorOptions } from '../options.ts'
import { Answers } from './answers.ts'
import { askAll } from './ask-all.ts'
import { Asker, Ended } from './asker.ts'
import { StartedRuns, StillLive } from './started-runs.ts'
import type { Surroundings } from './surroundings.ts'

export interface ProbeMeetingOptions extends DoctorOptions {
  meetingId: string
}

/** Finds out how a vendor answers the open questions of its contract, with real livestreams, and stops each of them. */
export async function probeMeeting(io: Io, options: ProbeMeetingOptions, surroundings: Surroundings): Promise<void> {
  if (!isVendorId(options.meetingId)) throw new UsageError('--probe-meeting: not an id of the provider')
  const { home, upstreams, deadlineMs } = readConfig(io.env)
  const known = (await inWords(() => isAtHome(home))) ? await lookUp(io, options.meetingId) : null
  const meetingId = known?.id ?? likelySpelling(options.meetingId)
  const name = options.upstream ?? known?.upstream ?? usualUpstream(io, '')
  const account = upstreams.find(one => one.name === name)
  if (account === undefined) throw new UsageError(`--upstream: there is no upstream ${name}`)
  if (!options.yes) {
    const owner = known?.tenantId == null ? '' : `, which the tenant ${known.tenantId} has,`
    throw new UsageError(
      `this would start four livestreams at most in the meeting ${meetingId}${owner} at ${name}, real ones that the vendor bills, and stop each, within 5 minutes; nobody should use the meeting meanwhile: --yes does it`
    )
  }
  if (known?.isBusy)
    throw new CommandError(
      `${meetingId} is live, or a call about it is open, as the store has it: name a meeting that nobody uses`
    )
  await demandIdle(io, account, meetingId, deadlineMs)
  const vendor = vendorNamed(vendors, account.provider)

  const inspector = new VendorInspector({ account, deadlineMs, clock: surroundings.clock })
  try {
    const asker = new Asker(inspector, await takenCredential(inspector, vendor, account), surroundings)
    const answers = new Answers()
    const problem = await question(io, { asker, vendor, account, meetingId, surroundings }, answers)
    tell(io, options, account, answers, problem === null)
    if (problem !== null) throw new CommandError(problem)
  } finally {
    await inspector.close()
  }
}

/** Looks up the meeting in the store. */
async function lookUp(
  io: Io,
  given: string
): Promise<{ id: string; upstream: string | null; tenantId: string | null; isBusy: boolean }> {
  return withSnapshot(io, async store => {
    const meetings = meetingsIn(store)
    const [id = given] = await meetings.asStored([given])
    const operations = await operationsIn(store).unsettled()
    const status = (await livestreamsIn(store).unfinishedMeetings()).get(id)
    return {
      id,
      upstream: await meetings.upstreamOf(id),
      tenantId: (await meetings.ownerOf(id))?.tenantId ?? null,
      isBusy: status !== undefined || operations.some(({ meetingId }) => meetingId === id)
    }
  })
}

/** Demands that nothing is live: somebody else has begun it, and the probe must not stop it. @throws CommandError */
async function demandIdle(io: Io, { name }: UpstreamAccount, meetingId: string, deadlineMs: number): Promise<void> {
  await asked(name, () =>
    withUpstream(io, name, deadlineMs, async upstream => {
      const vendor = upstream.on({ tenantId: 'operator', priority: 'mutation' })
      const signal = AbortSignal.timeout(deadlineMs)
      const meeting = await vendor.findMeeting(meetingId, signal)
      if (meeting === null) throw new CommandError(`${name} has no meeting ${meetingId}`)
      // A vendor may have no good word for nothing: then its lists must say that nothing runs.
      const active = await vendor.findActive(meetingId, signal).catch(async error => {
        if (!isOddNothing(error)) throw error
        const { livestreams, unreadIn } = await vendor.findRunning(signal)
        if (unreadIn.has(meetingId)) throw error
        return livestreams.find(one => one.meeting_id === meetingId) ?? null
      })
      // A run that is only INVOKED may not be shown as active.
      const runs = await vendor.findRuns(meetingId, signal)
      const isLive = active !== null && !isOver(active.status)
      if (isLive || runs.some(({ livestream }) => isRunning(livestream.status))) {
        throw new CommandError(`${meetingId} is live: nothing was started, and what is live goes on`)
      }
    })
  )
}

/** A failure, or a refusal, that may mean that nothing is live: not that the caller may not ask. */
function isOddNothing(error: unknown): boolean {
  if (error instanceof UpstreamCredentialsRefused) return false
  return error instanceof UpstreamFailed || error instanceof UpstreamRefused
}

async function takenCredential(inspector: VendorInspector, vendor: Vendor, account: UpstreamAccount): Promise<Secret> {
  for (const credential of account.credentials) {
    const { finding } = await asked(account.name, () => verifyCredential(inspector, vendor, account, credential))
    if (finding === 'taken') return credential
  }
  throw new CommandError(`no credential of ${account.name} is taken: \`livegate doctor\` says why`)
}

/** @throws CommandError when the vendor gives no answer that says anything */
async function asked<T>(name: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    throw new CommandError(`${name} could not be asked: ${error.message}; nothing was started`, { cause: error })
  }
}

interface Place {
  asker: Asker
  vendor: Vendor
  account: UpstreamAccount
  meetingId: string
  surroundings: Surroundings
}

/** Null when all was asked, else the reason why not. In each case everything that was started has been stopped. */
async function question(
  io: Io,
  { asker, vendor, account, meetingId, surroundings }: Place,
  answers: Answers
): Promise<string | null> {
  const runs = new StartedRuns({ asker, vendor, meetingId, surroundings })
  const letGo = surroundings.onInterrupt(() => {
    io.err('livegate: note: ends when everything that was started is stopped')
    asker.interrupt()
  })
  const errorOf = (work: Promise<void>): Promise<unknown> =>
    work.then(
      () => null,
      error => error
    )
  const problem = await errorOf(askAll({ asker, runs, meetingId, vendor, surroundings }, answers))
  const left = await errorOf(runs.stopAll())
  letGo()
  // A livestream that is still live comes first; of several tries to stop it the last one counts.
  const errors = left === null ? [problem] : [left, problem instanceof StillLive ? null : problem]
  const told = errors.filter(error => error !== null).map(error => words(error, account, left === null))
  return told.length === 0 ? null : told.join('; ')
}

function words(error: unknown, account: UpstreamAccount, allStopped: boolean): string {
  if (!(error instanceof Failure || error instanceof Ended || error instanceof StillLive)) throw error
  if (error instanceof Failure) return whyNoAnswer(error, account)
  return error instanceof StillLive && allStopped ? 'a stop took more than 60 s to work' : error.message
}

/** Prints the findings, also when they are not complete: as they stand, and as a simulator that behaves like this vendor. */
function tell(io: Io, options: ProbeMeetingOptions, account: UpstreamAccount, answers: Answers, ok: boolean): void {
  const known = [...answers.known]
  const open = [...answers.open]
  const vendor = account.provider === usualVendor ? [] : ['--vendor', account.provider]
  const line = ['livegate simulate', ...vendor, ...known.flatMap(asSwitch)].join(' ')
  const { observed } = answers
  const lines = [
    ...known.map(([name, answer]) => `${name.padEnd(24)}${answer}`),
    ...open.map(([name, why]) => `${name.padEnd(24)}? ${why}`),
    ...(observed.length > 0 ? ['', 'what was answered, by the names of its fields'] : []),
    ...observed.map(({ question, status, shape }) => `${question.padEnd(40)}${status} ${shape}`),
    ...(known.length > 0 ? ['', 'this vendor is imitated by', line] : [])
  ]
  const value = {
    ok,
    upstream: account.name,
    meeting_id: options.meetingId,
    answers: Object.fromEntries(known),
    open: open.map(([name, why]) => ({ question: name, why })),
    observed,
    simulate: line
  }
  if (options.json || lines.length > 0) print(io, options, value, lines.join('\n'))
}

function asSwitch([name, answer]: [string, string]): string[] {
  if (answer === 'false') return []
  return [answer === 'true' ? `--${name}` : `--${name} ${answer}`]
}
