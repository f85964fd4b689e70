import { randomUUID } from 'node:crypto'
import { isOver } from '../../../domain/livestream.ts'
import { path } from '../../../upstream/contract/contract.ts'
import { at } from '../../../upstream/contract/vendor-words.ts'
import type { Heard } from '../../../upstream/transport/vendor-inspector.ts'
import type { Answers } from './answers.ts'
import { Ended } from './asker.ts'
import type { Questions } from './questions.ts'

/** Asks before anything was started, and for things that do not exist. @throws Ended, Failure */
export async function askOfNothing({ asker, runs }: Questions, answers: Answers): Promise<void> {
  const look = await runs.look()
  answers.observe('active with nothing live', look)
  if (look.status !== 200 && look.status !== 404) {
    // Once may be an accident. What it means is known only where the list shows that nothing runs.
    await asker.pause()
    const again = await runs.look()
    if (again.status !== look.status || (await runs.isListed()) !== false)
      throw new Ended(`the question what is live was answered with ${look.status}, then with ${again.status}`)
    runs.saysNothing(look.status)
  }
  tellOfNothing(look, answers)

  const get = async (question: string, target: string): Promise<Heard> => {
    const heard = await asker.ask({ method: 'GET', path: target })
    answers.observe(question, heard)
    return heard
  }
  const unknown = randomUUID()
  await get('unknown meeting', path`/meetings/${unknown}`)
  await get('active of an unknown meeting', path`/meetings/${unknown}/active-livestream`)
  const { status } = await get('malformed id of a meeting', path`/meetings/${'no-id'}`)
  answers.tell('validation', status, ['422', '400'])
  await get('malformed id of a livestream', path`/livestreams/${'no-id'}`)
  for (const size of [100, 1_000])
    await get(`${size} livestreams in a page`, `${path`/livestreams`}?page_no=1&per_page=${size}`)
}

const isPast = (state: unknown): boolean => typeof state === 'string' && isOver(state)

/** The switch has names for what can be imitated. */
function tellOfNothing({ status, body }: Heard, answers: Answers): void {
  const data = at(body, 'data')
  const state = at(data, 'status')
  if (status !== 200) answers.tell('nothing-live', status, ['404', '400', '409', '500'])
  else if (data === null || data === undefined) answers.tell('nothing-live', 'null')
  else if (typeof data === 'object' && Object.keys(data).length === 0) answers.tell('nothing-live', 'empty')
  else
    answers.open.set(
      'nothing-live',
      isPast(state) ? 'it shows a livestream that is over' : 'it is a success with something else in it'
    )
}
