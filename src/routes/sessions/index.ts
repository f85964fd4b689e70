import type { TenantRuns } from '../../lifecycle/resources/runs.ts'
import type { TenantStage } from '../../lifecycle/resources/stage.ts'
import type { Api } from '../api.ts'
import { getActiveSession } from './get-active-session.ts'
import { kickAllParticipants } from './kick-all-participants.ts'
import { kickParticipants } from './kick-participants.ts'
import { listSessionLivestreams } from './list-session-livestreams.ts'
import { muteAllParticipants } from './mute-all-participants.ts'
import { muteParticipants } from './mute-participants.ts'

export interface SessionDeps {
  runs: TenantRuns
  stage: TenantStage
}

/** Registers the operations on the sessions of meetings. */
export function sessionRoutes(api: Api, deps: SessionDeps): void {
  listSessionLivestreams(api, deps)
  getActiveSession(api, deps)
  kickParticipants(api, deps)
  kickAllParticipants(api, deps)
  muteParticipants(api, deps)
  muteAllParticipants(api, deps)
}
