import { path } from '../../contract/contract.ts'
import { readMeetings } from '../../contract/contract-meetings.ts'
import { at } from '../../contract/vendor-words.ts'
import type { HarmlessRead } from '../vendor.ts'

/** One entry of the list of meetings. */
export const harmlessRead: HarmlessRead = {
  method: 'GET',
  path: `${path`/meetings`}?page_no=1&per_page=1`,
  demand: readMeetings,
  isEnvelope: body => at(body, 'success') === true && typeof at(body, 'data') === 'object'
}
