import type { VendorName } from './dialects/vendors.ts'
import type { Fault } from './faults/faults.ts'
import type { JournalEntry } from './journal.ts'
import type { SimulatedLivestream } from './routes/shapes.ts'
import type { SimulatedWebhooks } from './webhooks/webhooks.ts'

/**
 * A running stand-in for Dyte v2 or Cloudflare RealtimeKit: state, faults and a journal. `control.ts` says how to steer it
 * from another process. Not imitated: what participants do with their tokens, encoders that a meeting's livestream waits for, and more than one app.
 */
export interface Simulator {
  vendor: VendorName
  /** The address that an operator configures, e.g. `http://127.0.0.1:41234/v2`; RealtimeKit's ends in `/client/v4`. */
  url: string
  /** The address under which the operations stand: RealtimeKit's has account and app in it, Dyte's is `url`. */
  apiUrl: string
  origin: string
  port: number
  /** All that a client needs to be let in, by the names of the options; the key or token is the last. */
  credentials: Record<string, string>
  /** The organization that answers name; with Dyte a part of the credentials. */
  org: string
  /** The API key that it began with; empty with RealtimeKit. */
  key: string
  /** Empty with Dyte, like the two below. */
  account: string
  app: string
  /** The token that it began with. */
  token: string
  /** Every request outside of `/_simulator/`, in order of arrival, bounded by `journalLimit`. */
  journal: JournalEntry[]
  /** The truth behind the answers. */
  livestreams(): SimulatedLivestream[]
  /** @throws TypeError or RangeError naming the field. */
  addMeeting(fields?: {
    id?: string
    title?: string
    status?: 'ACTIVE' | 'INACTIVE'
    live_stream_on_start?: boolean
  }): {
    id: string
  }
  /** A livestream that belongs to no meeting, as `POST /livestreams` makes one. @throws TypeError or RangeError naming the field */
  addLivestream(fields?: { id?: string; name?: string }): SimulatedLivestream
  /** Somebody who may join a meeting, as `POST …/participants` makes one. @throws TypeError, RangeError or Refusal */
  addParticipant(
    meetingId: string,
    fields?: { id?: string; custom_participant_id?: string; name?: string; preset_name?: string }
  ): { id: string }
  /** Participants of a meeting, as its list has them. */
  participants(meetingId: string): { id: string; customId: string; name: string | null; presetName: string }[]
  /** Tokens of participants that were issued. */
  readonly participantTokens: readonly string[]
  /** A preset of the app, beside the usual ones. */
  addPreset(fields: { name: string; can_livestream?: boolean; can_record?: boolean; recorder_type?: string }): void
  /** People come to the meeting: its session begins and, with `live_stream_on_start`, a livestream (contract#live-stream-on-start). */
  joinMeeting(meetingId: string): { session_id: string; livestream: SimulatedLivestream | null }
  /** A participant's browser starts the livestream, past any gateway (contract#browser-starts). Throws when one is running, or still stopping. */
  startFromBrowser(meetingId: string, how?: { manualIngest?: boolean }): SimulatedLivestream
  /** The session of the meeting ends, and all leave: its livestream goes on (contract#no-automatic-end). Throws when there is none. */
  endMeeting(meetingId: string): void
  /** An encoder connects to an independent livestream, which is LIVE at once. */
  ingest(livestreamId: string): SimulatedLivestream
  /** The run ends by itself. Throws when there is none. */
  end(livestreamId: string, how?: 'IDLE' | 'ERRORED'): void
  /** Lets callers in with these API keys (Dyte) or tokens (RealtimeKit) from now on, and with no others. @throws TypeError or RangeError */
  accept(...credentials: string[]): void
  /** The webhooks that were registered, their key, and how they are sent. */
  readonly webhooks: SimulatedWebhooks
  /** Queues faults, each for the next request that it matches. @throws TypeError or RangeError naming the field. */
  failNext(fault: Fault | Fault[], times?: number): void
  /** A fault for every request that it matches, until the returned function is called. */
  fail(fault: Fault): () => void
  clearFaults(): void
  /** Destroys all sockets and gives up what is under way. */
  close(): Promise<void>
}
