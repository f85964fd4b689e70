import type { Answers } from './answers.ts'
import type { Questions } from './questions.ts'

/** Time for which a start is tried again after a stop, and a run that goes on is watched. */
const endsWithinMs = 60_000
/** No vendor has such a field. */
const unknownField = { livegate_probe: true }

/** Asks how a stop ends the first run, which is LIVE by now, and what it does to the next start. @throws Ended, Failure */
export async function askOfTheEnd(questions: Questions, answers: Answers): Promise<void> {
  const { asker, runs, surroundings } = questions
  const old = [...runs.ids]
  for (let left = runs.toBeStopped; left > 0; left--) {
    const heard = await runs.stop()
    if (heard.status < 300) continue
    answers.open.set('restart-after', `a stop was answered with ${heard.status}`)
    return
  }
  const stoppedAtMs = surroundings.clock.monotonic()
  const sinceMs = (): number => Math.round(surroundings.clock.monotonic() - stoppedAtMs)
  let isGone = false
  let isFirst = true
  const look = async (): Promise<void> => {
    if (isGone) return
    isGone = (await runs.active()).state === null && !(await runs.isRunning(old))
    // A run that the first look no longer shows has ended at once: the look's own time is not the run's.
    if (isGone) answers.tell('stopping-for', isFirst ? 0 : sinceMs())
  }
  /** Status of a refused start, while nothing was live that could explain it. */
  let refusal: number | null = null
  let restarted: string | null = null
  while (restarted === null && sinceMs() < endsWithinMs) {
    await look()
    const wasGone = isGone
    const { status, id, heard } = await runs.start({}, !wasGone)
    if (isFirst) answers.observe('start directly after a stop', heard)
    isFirst = false
    const isJoined = id !== null && status === 200 && old.includes(id) && !wasGone
    if (id === null && (wasGone || String(status) !== answers.known.get('start-while-live'))) refusal = status
    if (id !== null && !isJoined) restarted = id
    else await asker.pause()
  }
  if (restarted === null) {
    answers.open.set('restart-after', `no start was taken within ${endsWithinMs / 1_000} s of a stop`)
    return
  }
  answers.tell('restart-after', refusal === null ? 0 : sinceMs())
  if (refusal !== null) answers.tell('restart-refusal', refusal, ['400', '409'])
  if (isGone) answers.tell('livestream-id', old.includes(restarted) ? 'reused' : 'new')
  await stopTooEarly(questions, answers)

  // The old one is to be watched where a new one was begun beside it.
  while (!isGone && sinceMs() < endsWithinMs) {
    await asker.pause()
    isGone = !(await runs.isRunning(old))
    if (isGone) answers.tell('stopping-for', sinceMs())
  }
  if (!isGone) answers.open.set('stopping-for', `what was stopped went on for more than ${endsWithinMs / 1_000} s`)
}

/** A stop of a run that is not LIVE yet. */
async function stopTooEarly({ runs }: Questions, answers: Answers): Promise<void> {
  const isLive = (await runs.active()).state === 'LIVE'
  const heard = await runs.stop()
  if (isLive) {
    answers.open.set('stop-refusal', 'it was LIVE at the first look')
    return
  }
  answers.observe('stop before it is LIVE', heard)
  answers.tell('stop-refusal', heard.status < 300 ? 'none' : heard.status, ['none', '400', '404', '409'])
}

/** The last start has a field that nobody knows; where that is refused, and one is still needed, another follows. */
export async function askOfUnknownFields({ asker, runs }: Questions, answers: Answers): Promise<void> {
  for (let waitMs = Number(answers.known.get('restart-after') ?? 0); waitMs > 0; waitMs -= 1_000) await asker.pause()
  const known = new Set(runs.ids)
  const odd = await runs.start(unknownField)
  answers.observe('start with an unknown field', odd.heard)
  const isRefused = odd.id === null && [400, 422].includes(odd.status)
  if (isRefused !== (answers.known.get('validation') === '422'))
    answers.open.set('an unknown field', `it was answered ${odd.status}`)
  if (answers.known.has('livestream-id')) return
  const id = odd.id ?? (await runs.start()).id
  if (id !== null) answers.tell('livestream-id', known.has(id) ? 'reused' : 'new')
}
