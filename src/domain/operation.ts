import { randomUUID } from 'node:crypto'
import type { FailureBody } from './refusals/failures.ts'
import type { RunEnder } from './runs/run.ts'
import type { TraceName } from './values/trace-name.ts'

/** The mutations: those that go upstream, and those of Livegate's own, which are kept for the replay of their answers. */
export type OperationKind =
  | 'start'
  | 'stop'
  | 'create_livestream'
  | 'enable_livestream'
  | 'disable_livestream'
  | 'reset_stream_key'
  | 'kick_participants'
  | 'kick_all_participants'
  | 'mute_participants'
  | 'mute_all_participants'
  | 'create_meeting'
  | 'update_meeting'
  | 'replace_meeting'
  | 'add_participant'
  | 'update_participant'
  | 'replace_participant'
  | 'remove_participant'
  | 'refresh_participant_token'
  | 'update_run'
  | 'set_webhook'
  | 'remove_webhook'
  | 'test_webhook'
  | 'rotate_key'

interface OperationFacts {
  /** The id in the OpenAPI document. */
  action: string
  method: string
  /** The activity in the audit log, in the words of OCSF: only what makes something new creates, whatever its method. */
  activity: 'Create' | 'Update' | 'Delete' | 'Other'
}

/** The facts of each operation that depend on nothing but its kind. */
export const operations = {
  start: { action: 'startLivestream', method: 'POST', activity: 'Create' },
  stop: { action: 'stopLivestream', method: 'POST', activity: 'Update' },
  create_livestream: { action: 'createLivestream', method: 'POST', activity: 'Create' },
  enable_livestream: { action: 'enableLivestream', method: 'PUT', activity: 'Update' },
  disable_livestream: { action: 'disableLivestream', method: 'PUT', activity: 'Update' },
  reset_stream_key: { action: 'resetStreamKey', method: 'POST', activity: 'Update' },
  kick_participants: { action: 'kickParticipants', method: 'POST', activity: 'Update' },
  kick_all_participants: { action: 'kickAllParticipants', method: 'POST', activity: 'Update' },
  mute_participants: { action: 'muteParticipants', method: 'POST', activity: 'Update' },
  mute_all_participants: { action: 'muteAllParticipants', method: 'POST', activity: 'Update' },
  create_meeting: { action: 'createMeeting', method: 'POST', activity: 'Create' },
  update_meeting: { action: 'updateMeeting', method: 'PATCH', activity: 'Update' },
  replace_meeting: { action: 'replaceMeeting', method: 'PUT', activity: 'Update' },
  add_participant: { action: 'addParticipant', method: 'POST', activity: 'Create' },
  update_participant: { action: 'updateParticipant', method: 'PATCH', activity: 'Update' },
  replace_participant: { action: 'replaceParticipant', method: 'PUT', activity: 'Update' },
  remove_participant: { action: 'removeParticipant', method: 'DELETE', activity: 'Delete' },
  refresh_participant_token: { action: 'refreshParticipantToken', method: 'POST', activity: 'Other' },
  update_run: { action: 'updateRun', method: 'PATCH', activity: 'Update' },
  set_webhook: { action: 'setWebhook', method: 'PUT', activity: 'Update' },
  remove_webhook: { action: 'removeWebhook', method: 'DELETE', activity: 'Delete' },
  test_webhook: { action: 'testWebhook', method: 'POST', activity: 'Other' },
  rotate_key: { action: 'rotateKey', method: 'POST', activity: 'Create' }
} as const satisfies Record<OperationKind, OperationFacts>

/** `sent` until the outcome is known; `unknown` when the vendor's answer was lost. `done` and `failed` are settled. */
export type OperationState = 'sent' | 'done' | 'failed' | 'unknown'

/** True when the vendor can be asked, or told again, until the outcome is known. Of the others `unknown` is the last word. */
export function canBeReconciled(kind: OperationKind): boolean {
  return kind === 'start' || kind === 'add_participant' || isRepeated(kind)
}

/** True when doing it twice is the same as doing it once: then it is sent again until the vendor has confirmed it. */
export function isRepeated(kind: OperationKind): boolean {
  return kind === 'stop' || isSwitch(kind)
}

/** Whether a livestream is enabled: the last word counts. */
export const switches = ['enable_livestream', 'disable_livestream'] as const satisfies OperationKind[]

export function isSwitch(kind: OperationKind): kind is (typeof switches)[number] {
  return (switches as readonly OperationKind[]).includes(kind)
}

/** Under which key a caller has sent a request, and what the request was: keyed fingerprints, since both are the caller's own. */
export interface Idempotency {
  readonly keyFingerprint: string
  readonly requestFingerprint: string
}

/** Answer that a caller was given, or would have been: a repetition of the call gets it too. It never has a stream key. */
export interface StoredAnswer {
  readonly status: number
  readonly body: { readonly data: unknown } | { readonly error: FailureBody }
}

/** One mutating call with its state, written down before its first byte goes upstream. */
export interface Operation {
  readonly id: string
  readonly tenantId: string
  readonly keyId: string
  readonly kind: OperationKind
  readonly upstream: string
  readonly meetingId: string | null
  readonly livestreamId: string | null
  /** Keyed fingerprint of the id that its caller gives to the participant whom it adds; null for all others. */
  readonly participant: string | null
  readonly state: OperationState
  readonly requestId: string
  readonly sentAtMs: number
  /** The vendor's clock when it was sent, as far as we know it: what the vendor dates is compared with this. */
  readonly vendorAtMs: number | null
  /** Time of the vendor's clock at which it confirmed this stop, as far as it told. */
  readonly confirmedVendorAtMs: number | null
  /** Time of a start's second sending; null when it was sent once. */
  readonly sentAgainAtMs: number | null
  readonly settledAtMs: number | null
  /** The start that was open when this stop was written down. The store fills it in. */
  readonly openStartId: string | null
  /** The vendor's status and words, when it did not say yes. */
  readonly upstreamStatus: number | null
  readonly reason: string | null
  /** The run that this start has begun, or was answered with; the one that a stop of the gateway's names. */
  readonly runId: string | null
  /** Why this stop was sent, where no caller asked for it; null for all others. */
  readonly cause: RunEnder | null
  /** The trace of its call; null where that belonged to none. */
  readonly trace: TraceName | null
  /** The replica that carries it out; null where the store has one gateway. The store fills it in. */
  readonly owner: string | null
  readonly idempotency: Idempotency | null
  readonly answer: StoredAnswer | null
}

/** Facts that no operation has when it is written down. */
export const nothingKnown = {
  vendorAtMs: null,
  confirmedVendorAtMs: null,
  sentAgainAtMs: null,
  settledAtMs: null,
  openStartId: null,
  upstreamStatus: null,
  reason: null,
  participant: null,
  runId: null,
  cause: null,
  trace: null,
  owner: null,
  idempotency: null,
  answer: null
} as const satisfies Partial<Operation>

/** Facts of a stop that no caller has asked for. */
type OwnStop = Pick<Operation, 'tenantId' | 'keyId' | 'upstream' | 'meetingId' | 'requestId' | 'sentAtMs'> &
  Partial<Pick<Operation, 'livestreamId' | 'runId' | 'cause' | 'vendorAtMs'>>

/** The row of a stop that no caller has asked for: it is open until it is confirmed. */
export function ownStop(facts: OwnStop): Operation {
  return { ...nothingKnown, id: randomUUID(), kind: 'stop', livestreamId: null, state: 'unknown', ...facts }
}
