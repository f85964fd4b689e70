import type { StartOnce } from '../../lifecycle/broadcast/start.ts'
import type { ActiveReads } from '../../lifecycle/reads/shared-reads.ts'
import type { LivestreamChanges } from '../../lifecycle/resources/livestream-changes.ts'
import type { TenantLivestreams } from '../../lifecycle/resources/livestreams.ts'
import type { TenantRuns } from '../../lifecycle/resources/runs.ts'
import type { Api } from '../api.ts'
import { createLivestream } from './changes/create-livestream.ts'
import { disableLivestream } from './changes/disable-livestream.ts'
import { enableLivestream } from './changes/enable-livestream.ts'
import { resetStreamKey } from './changes/reset-stream-key.ts'
import { getActiveLivestream } from './get-active-livestream.ts'
import { getActiveLivestreamSession } from './get-active-livestream-session.ts'
import { getLivestream } from './get-livestream.ts'
import { getLivestreamSession } from './get-livestream-session.ts'
import { getMeetingLivestream } from './get-meeting-livestream.ts'
import { listLivestreams } from './list-livestreams.ts'
import { listMeetingLivestreams } from './list-meeting-livestreams.ts'
import { startLivestream } from './start-livestream.ts'
import { type StopDeps, stopLivestream } from './stop-livestream.ts'

export interface LivestreamDeps extends StopDeps {
  start: StartOnce
  readActive: ActiveReads['read']
  livestreams: TenantLivestreams
  livestreamChanges: LivestreamChanges
  runs: TenantRuns
}

/** Registers the operations on livestreams. */
export function livestreamRoutes(api: Api, deps: LivestreamDeps): void {
  startLivestream(api, deps)
  getActiveLivestream(api, deps)
  stopLivestream(api, deps)
  listMeetingLivestreams(api, deps)
  listLivestreams(api, deps)
  getLivestream(api, deps)
  createLivestream(api, deps)
  enableLivestream(api, deps)
  disableLivestream(api, deps)
  resetStreamKey(api, deps)
  getActiveLivestreamSession(api, deps)
  getLivestreamSession(api, deps)
  getMeetingLivestream(api, deps)
}
