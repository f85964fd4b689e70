import { randomUUID } from 'node:crypto'
import { iso } from '../answers.ts'
import type { Vendor } from '../options.ts'
import { boolean, nullable, number, object, oneOf, type Rules, string, text } from '../rules.ts'
import type { Livestream } from './livestream.ts'
import type { MeetingSession } from './stage.ts'

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
  /** In the order in which they were last started. */
  livestreams: Livestream[]
  /** When a stop was confirmed last. */
  stoppedAt: number | null
  /** The session going on now. */
  session: MeetingSession | null
}

/** Ids of meetings are UUIDs in every path (contract#uuid-ids). */
export const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

const common: Rules = {
  title: nullable(string),
  record_on_start: nullable(boolean),
  live_stream_on_start: nullable(boolean),
  persist_chat: boolean,
  summarize_on_end: boolean,
  recording_config: object,
  ai_config: object
}
/** Fields that one vendor has and the other has not (contract#realtimekit-meetings). */
const own: Record<Vendor, Rules> = {
  dyte: { preferred_region: nullable(oneOf('ap-south-1', 'ap-southeast-1', 'us-east-1', 'eu-central-1')) },
  realtimekit: { session_keep_alive_time_in_secs: number(60, 600, true), transcribe_on_end: boolean }
}
const defaults: Record<Vendor, MeetingFields> = {
  dyte: {},
  realtimekit: { session_keep_alive_time_in_secs: 60, transcribe_on_end: false }
}
const status = oneOf('ACTIVE', 'INACTIVE')

/** Bodies of POST and PUT: no status, a meeting is retired with PATCH only (contract#nothing-is-deleted). */
export const wholeMeeting = (vendor: Vendor): Rules => ({ ...common, ...own[vendor] })
export const partOfMeeting = (vendor: Vendor): Rules => ({ ...wholeMeeting(vendor), status })
/** What a test or the control endpoint may say of a new meeting. */
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
export function meetingShape({ id, fields, createdAt, updatedAt }: Meeting, vendor: Vendor): object {
  return {
    id,
    title: null,
    status: 'ACTIVE',
    persist_chat: false,
    summarize_on_end: false,
    ...defaults[vendor],
    ...fields,
    record_on_start: fields.record_on_start ?? false,
    live_stream_on_start: fields.live_stream_on_start ?? false,
    created_at: iso(createdAt),
    updated_at: iso(updatedAt)
  }
}
