import { randomUUID } from 'node:crypto'
import { iso } from '../answers.ts'
import { type VendorName, vendors } from '../dialects/vendors.ts'
import { boolean, nullable, object, oneOf, type Rules, string, text, uuid } from '../rules.ts'
import type { Livestream } from './livestream.ts'
import type { MeetingSession } from './meeting-session.ts'

/** The fields of a meeting that a caller can set (contract#meeting-fields), in the vendor's words. */
export interface MeetingFields {
  title?: string | null
  status?: 'ACTIVE' | 'INACTIVE'
  record_on_start?: boolean | null
  live_stream_on_start?: boolean | null
  persist_chat?: boolean
  summarize_on_end?: boolean
  preferred_region?: string | null
  recording_config?: object
  ai_config?: object
  /** RealtimeKit alone, like the next. */
  session_keep_alive_time_in_secs?: number
  transcribe_on_end?: boolean
}

export interface Meeting {
  id: string
  fields: MeetingFields
  createdAt: number
  updatedAt: number
  /** Livestreams in the order in which they were last started. */
  livestreams: Livestream[]
  /** Time of the last confirmed stop. */
  stoppedAt: number | null
  /** The session going on now. */
  session: MeetingSession | null
}

const common: Rules = {
  title: nullable(string),
  record_on_start: nullable(boolean),
  live_stream_on_start: nullable(boolean),
  persist_chat: boolean,
  summarize_on_end: boolean,
  recording_config: object,
  ai_config: object
}
const status = oneOf('ACTIVE', 'INACTIVE')

/** Every field that a body may have with some vendor. */
export const knownFields = Object.keys(
  Object.assign({ ...common, status }, ...Object.values(vendors).map(one => one.meetingFields))
)

/** Bodies of POST and PUT: no status, a meeting is retired with PATCH only (contract#nothing-is-deleted). */
export const wholeMeeting = (vendor: VendorName): Rules => ({ ...common, ...vendors[vendor].meetingFields })
export const partOfMeeting = (vendor: VendorName): Rules => ({ ...wholeMeeting(vendor), status })
/** Fields of a new meeting that a test or the control endpoint may give. */
export const newMeeting: Rules = {
  id: text('a UUID', value => uuid.test(value)),
  title: string,
  status,
  live_stream_on_start: boolean
}

/** Only the fields that have a rule: what else a body carried is not kept. */
export function pick(rules: Rules, body: Record<string, unknown>): MeetingFields {
  const known = ([name, value]: [string, unknown]): boolean => Object.hasOwn(rules, name) && value !== undefined
  return Object.fromEntries(Object.entries(body).filter(known))
}

export function createMeeting(fields: MeetingFields, at: number, id: string = randomUUID()): Meeting {
  return { id, fields, createdAt: at, updatedAt: at, livestreams: [], stoppedAt: null, session: null }
}

/** The vendor's Meeting; its optional configurations appear only when they were set. */
export function meetingShape({ id, fields, createdAt, updatedAt }: Meeting, vendor: VendorName): object {
  return {
    id,
    title: null,
    status: 'ACTIVE',
    persist_chat: false,
    summarize_on_end: false,
    ...vendors[vendor].newMeeting,
    ...fields,
    record_on_start: fields.record_on_start ?? false,
    live_stream_on_start: fields.live_stream_on_start ?? false,
    created_at: iso(createdAt),
    updated_at: iso(updatedAt)
  }
}
