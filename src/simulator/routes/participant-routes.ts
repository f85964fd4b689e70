import { success } from '../answers.ts'
import { invitedShape, listedPresetShape } from '../state/participants.ts'
import type { VendorState } from '../state/state.ts'
import { paged } from './lists.ts'
import type { Routes } from './route.ts'

const ofMeeting = '/meetings/{id}/participants'

/** Those who may join meetings (contract#participants), and the presets of the app (contract#presets). */
export function participantRoutes(state: VendorState): Routes {
  const { participants } = state
  return {
    [`GET ${ofMeeting}`]: ({ id, query }) => {
      const { page, paging } = paged(participants.of(state.meeting(id).id), query)
      return { status: 200, body: { success: true, data: page.map(invitedShape), paging } }
    },
    [`GET ${ofMeeting}/{id}`]: ({ id, second }) =>
      success(invitedShape(participants.find(state.meeting(id).id, second))),
    'GET /presets': ({ query }) => {
      const { page, paging } = paged([...participants.presets.values()], query)
      return { status: 200, body: { success: true, data: page.map(listedPresetShape), paging } }
    }
  }
}
