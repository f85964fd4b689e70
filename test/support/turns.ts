import type { Joined, StopTurn } from '../../src/lifecycle/broadcast/meeting-queue.ts'

/** A call in the queue that leads with this attempt, or joins another one. Gives which, and the answer. */
export async function led<T extends Pick<StopTurn<string>, 'waited' | 'take'>>(
  entering: Promise<T | Joined<string>>,
  attempt: (turn: T) => Promise<string>
): Promise<string> {
  const turn = await entering
  return 'joined' in turn ? `joined: ${turn.joined}` : `led: ${await turn.take(attempt(turn))}`
}
