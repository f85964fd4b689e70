import type { TenantParticipants } from '../../lifecycle/participants/participants.ts'
import type { Api } from '../api.ts'
import { addParticipant } from './add-participant.ts'
import { getParticipant } from './get-participant.ts'
import { listParticipants } from './list-participants.ts'
import { listPresets } from './list-presets.ts'
import { refreshParticipantToken } from './refresh-participant-token.ts'
import { removeParticipant } from './remove-participant.ts'
import { replaceParticipant } from './replace-participant.ts'
import { updateParticipant } from './update-participant.ts'

export interface ParticipantDeps {
  participants: TenantParticipants
}

/** Registers the operations on those who may join meetings. */
export function participantRoutes(api: Api, deps: ParticipantDeps): void {
  addParticipant(api, deps)
  listParticipants(api, deps)
  getParticipant(api, deps)
  updateParticipant(api, deps)
  replaceParticipant(api, deps)
  removeParticipant(api, deps)
  refreshParticipantToken(api, deps)
  listPresets(api, deps)
}
