import { InvalidInput } from '../../domain/refusals/failures.ts'
import type { Participants } from '../../domain/session.ts'

/** @throws InvalidInput unless exactly one of the two lists is there: what a vendor makes of none, or of both, is not known */
export function expectSomebody({ participant_ids, custom_participant_ids }: Participants): void {
  if ((participant_ids === undefined) !== (custom_participant_ids === undefined)) return
  const message = 'must have either participant_ids or custom_participant_ids'
  throw new InvalidInput({ details: [{ field: 'body', message }] })
}
