import { type ParticipantsDeps, type TenantParticipants, tenantParticipants } from '../participants/participants.ts'
import { type AnalyticsDeps, type TenantAnalytics, tenantAnalytics } from './analytics.ts'
import { type LivestreamChanges, type LivestreamChangesDeps, livestreamChanges } from './livestream-changes.ts'
import { type LivestreamsDeps, type TenantLivestreams, tenantLivestreams } from './livestreams.ts'
import { type MeetingsDeps, type TenantMeetings, tenantMeetings } from './meetings.ts'
import { type RunsDeps, type TenantRuns, tenantRuns } from './runs.ts'
import { type StageDeps, type TenantStage, tenantStage } from './stage.ts'

export type TenantResourcesDeps = AnalyticsDeps &
  LivestreamsDeps &
  MeetingsDeps &
  ParticipantsDeps &
  RunsDeps &
  StageDeps &
  Omit<LivestreamChangesDeps, 'queue'> & { switches: LivestreamChangesDeps['queue'] }

/** All that tenants have and is neither start nor stop. */
export interface TenantResources {
  livestreams: TenantLivestreams
  livestreamChanges: LivestreamChanges
  runs: TenantRuns
  stage: TenantStage
  analytics: TenantAnalytics
  meetings: TenantMeetings
  participants: TenantParticipants
}

export function tenantResources(deps: TenantResourcesDeps): TenantResources {
  return {
    livestreams: tenantLivestreams(deps),
    livestreamChanges: livestreamChanges({ ...deps, queue: deps.switches }),
    runs: tenantRuns(deps),
    stage: tenantStage(deps),
    analytics: tenantAnalytics(deps),
    meetings: tenantMeetings(deps),
    participants: tenantParticipants(deps)
  }
}
