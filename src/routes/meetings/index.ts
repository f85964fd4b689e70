import type { TenantMeetings } from '../../lifecycle/resources/meetings.ts'
import type { Api } from '../api.ts'
import { createMeeting } from './create-meeting.ts'
import { getMeeting } from './get-meeting.ts'
import { listMeetings } from './list-meetings.ts'
import { replaceMeeting } from './replace-meeting.ts'
import { updateMeeting } from './update-meeting.ts'

export interface MeetingDeps {
  meetings: TenantMeetings
}

/** Registers the operations on meetings. */
export function meetingRoutes(api: Api, deps: MeetingDeps): void {
  createMeeting(api, deps)
  listMeetings(api, deps)
  getMeeting(api, deps)
  updateMeeting(api, deps)
  replaceMeeting(api, deps)
}
