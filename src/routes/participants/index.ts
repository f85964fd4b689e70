import type { TenantParticipants } from '../../lifecycle/participants/participants.ts'
import type { Api } from '../api.ts'
import { getParticipant } from './get-participant.ts'
import { listParticipants } from './list-participants.ts'
import { listPresets } from './list-presets.ts'

export interface ParticipantDeps {
  participants: TenantParticipants
}

/** Registers the operations on those who may join meetings. */
export function participantRoutes(api: Api, deps: ParticipantDeps): void {
  listParticipants(api, deps)
  getParticipant(api, deps)
  listPresets(api, deps)
}
