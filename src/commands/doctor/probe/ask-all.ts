import { path } from '../../../upstream/contract/contract.ts'
import { at } from '../../../upstream/contract/vendor-words.ts'
import type { Heard } from '../../../upstream/transport/vendor-inspector.ts'
import type { Answers } from './answers.ts'
import { type Asker, Ended } from './asker.ts'
import { askOfTheEnd, askOfUnknownFields } from './end-questions.ts'
import { askOfNothing } from './nothing-questions.ts'
import type { Questions } from './questions.ts'
import { isHeard, type StartedRuns } from './started-runs.ts'

const liveWithinMs = 90_000
/** A longer time would let a stop take more than its minute. */
const longestHiddenMs = 45_000
/** The published pattern has no blank (contract#livestream-name). */
const oddName = { name: 'livegate probe' }

/** Asks the open questions of the vendor's contract (contract#open-questions), one after the other. @throws Ended, Failure */
export async function askAll(questions: Questions, answers: Answers): Promise<void> {
  const { asker, runs } = questions
  await askItsOwn(questions, answers)
  await askOfNothing(questions, answers)
  // This stop comes before any start, since it shows that stops get through. Without that nothing may be started.
  const before = await stopNothing(runs)

  const id = await startNamed(runs, answers)
  await askOfTheFirstRun(questions, answers, id)
  await asker.pause()
  await startWhileLive(runs, answers)
  await askOfTheEnd(questions, answers)
  await runs.stopAll()

  await asker.pause()
  const after = await stopNothing(runs)
  answers.observe('stop with nothing live', after)
  answers.tell('stop-with-nothing-live', after.status, ['200', '400', '404', '409'])
  if (before.status !== after.status)
    answers.open.set(
      'a stop before the first livestream',
      `it was answered ${before.status}, later ones ${after.status}`
    )
  const last = await runs.look()
  answers.observe('active after a livestream', last)
  answers.tell('active-shows-ended', String(at(last.body, 'data', 'status') !== undefined))
  await askOfUnknownFields(questions, answers)
  await runs.stopAll()
}

/** Asks what this vendor alone leaves open. */
async function askItsOwn({ asker, meetingId, vendor }: Questions, answers: Answers): Promise<void> {
  for (const { name, fits, ask } of vendor.diagnosis.questions)
    answers.tell(name, await ask(meetingId, (call, credential) => asker.ask(call, credential)), fits)
}

async function stopNothing(runs: StartedRuns): Promise<Heard> {
  const heard = await runs.stop()
  if (!isHeard(heard))
    throw new Ended(`a stop was answered with ${heard.status}: what cannot be stopped must not be started`)
  return heard
}

/** The first start has a name with a blank; where that is refused, the second has none. */
async function startNamed(runs: StartedRuns, answers: Answers): Promise<string> {
  const named = await runs.start(oddName)
  answers.observe('start with a blank in its name', named.heard)
  if (named.id !== null) {
    answers.tell('livestream-name', 'any')
    return named.id
  }
  const { status, id } = await runs.start()
  if (id === null) throw new Ended(`a start was refused with ${status}`)
  answers.tell('livestream-name', [400, 422].includes(named.status) ? 'pattern' : named.status, ['pattern'])
  return id
}

/** Asks how a run is shown from INVOKED to LIVE: contract#two-contracts, contract#status-flow and contract#active-during-invoked. */
async function askOfTheFirstRun(questions: Questions, answers: Answers, id: string): Promise<void> {
  const { asker, runs, vendor, surroundings } = questions
  const startedAtMs = surroundings.clock.monotonic()
  const first = await runs.active()
  const one = await asker.ask({ method: 'GET', path: path`/livestreams/${id}` })
  const isL2 = at(one.body, 'data', 'livestream', 'id') !== undefined
  if (vendor.diagnosis.contracts.length > 1) answers.tell('contract', isL2 ? 'L2' : 'L1')
  if (isL2) await askForms(asker, answers, one)

  let last = first
  while (last.state !== 'LIVE' && surroundings.clock.monotonic() - startedAtMs < liveWithinMs) {
    await asker.pause()
    last = await runs.active()
  }
  const isLive = last.state === 'LIVE'
  if (first.state === 'LIVE') answers.open.set('active-during-invoked', 'it was LIVE at the first look')
  // A hidden run looks as if nothing were live.
  else if (first.state !== null || isLive || shows(one, 'INVOKED'))
    answers.tell('active-during-invoked', first.state === null ? '404' : '200')
  else answers.open.set('active-during-invoked', 'nothing was shown at all')

  const polledMs = Math.round(surroundings.clock.monotonic() - startedAtMs)
  const toldMs = isL2 ? invokedForMs(await asker.ask({ method: 'GET', path: path`/livestreams/${id}` })) : null
  if (isLive) {
    answers.tell('live-after', toldMs ?? polledMs)
    runs.hiddenForMs = Math.min(Math.max(toldMs ?? polledMs, polledMs), longestHiddenMs)
  } else answers.open.set('live-after', `it was not LIVE within ${liveWithinMs / 1_000} s: is anybody in the meeting?`)
}

/** Asks which of the two published forms is used (contract#two-published-forms). */
async function askForms(asker: Asker, answers: Answers, one: Heard): Promise<void> {
  const form = at(one.body, 'data', 'sessions') === undefined ? 'schema' : 'example'
  const list = await asker.ask({ method: 'GET', path: `${path`/livestreams`}?page_no=1&per_page=5` })
  const listForm = Array.isArray(at(list.body, 'data')) ? 'example' : 'schema'
  answers.tell('lists', form)
  if (listForm !== form)
    answers.open.set('lists', `the list has the form of the ${listForm}, a livestream that of the ${form}`)
}

/** Asks what a start of a live meeting answers (contract#start-while-live). */
async function startWhileLive(runs: StartedRuns, answers: Answers): Promise<void> {
  if ((await runs.active()).state === null && answers.known.get('active-during-invoked') !== '404') {
    answers.open.set('start-while-live', 'the livestream had ended by itself')
    return
  }
  const known = new Set(runs.ids)
  const { status, id, heard } = await runs.start({}, true)
  answers.observe('second start', heard)
  answers.tell('start-while-live', id === null ? status : known.has(id) ? '200' : 'second', ['200', '409', 'second'])
}

function shows({ body }: Heard, state: string): boolean {
  return (at(body, 'data', 'livestream', 'status') ?? at(body, 'data', 'status')) === state
}

/** Computes it from the times of the newest run; null where there are none. */
function invokedForMs({ body }: Heard): number | null {
  const [run] = [at(body, 'data', 'sessions') ?? at(body, 'data', 'session')].flat()
  const forMs = Date.parse(String(at(run, 'started_time'))) - Date.parse(String(at(run, 'invoked_time')))
  return forMs >= 0 ? forMs : null
}
