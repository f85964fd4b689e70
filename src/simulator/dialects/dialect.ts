import type { SimulatedAnswer } from '../answers.ts'
import type { Routes } from '../routes/route.ts'
import type { Rules } from '../rules.ts'
import type { Allowance } from '../state/quota.ts'

/** Addresses and refusals of one vendor's API, over the same state as the others' (contract#generations). */
export interface Dialect {
  /** The path of the address that an operator configures. */
  readonly basePath: string
  /** The path under which the operations stand. */
  readonly apiPath: string
  /** The answer to a request that gets no further than the door; undefined lets it pass. */
  refusal(path: string, authorization: string | undefined): SimulatedAnswer | undefined
  /** The answer where there is no operation. */
  noRoute(method: string, path: string): SimulatedAnswer
  /** The 429 of the vendor's edge. */
  tooMany(retryAfterSeconds: number): SimulatedAnswer
  /** Fields of every answer that tell of the quota. */
  limitFields(allowance: Allowance): Record<string, string>
  /** Operations outside of `apiPath`, by their whole path. */
  readonly beside: Routes
  /** Whether the vendor has this operation of L1 or L2 (contract#operations), e.g. `PUT /livestreams/{id}/enable`. */
  offers(operation: string): boolean
}

/** Parts of the state that a dialect looks at. */
export interface DialectState {
  readonly settings: Readonly<Record<'org' | 'account' | 'app' | 'badToken' | 'dropped', string>>
  /** API keys or tokens that let a caller in. */
  readonly accepted: ReadonlySet<string>
  now(): number
}

/** A vendor, found by its name in `vendors.ts`: all that differs from the others. */
export interface SimulatedVendor {
  /** Options that go with this vendor alone. */
  readonly options: Rules
  /** Options that name the account. */
  readonly account: readonly ('org' | 'account' | 'app')[]
  /** The option that holds the key or token, which lets a caller in. */
  readonly credential: 'key' | 'token'
  /** Fields of a meeting that the others don't have, and their values in a new one (contract#realtimekit-meetings). */
  readonly meetingFields: Rules
  readonly newMeeting: object
  /** Whether the list of meetings knows the filter `status` (contract#realtimekit-meetings). */
  readonly filtersMeetings: boolean
  /** Analytics: Unix seconds are taken too (contract#analytics-times); days are plain dates; one object overall (contract#two-published-forms). */
  readonly plainAnalytics: boolean
  /** Whether its documents have the replacing of a participant (contract#participant-put). */
  readonly participantPut: 'gone' | 'answer'
  /** The path of the ingest server's address (contract#livestream). */
  readonly ingestPath: string
  /** The family of header fields of its webhooks (contract#webhook-headers). */
  readonly webhookHeaders: 'rtk' | 'dyte'
  /** Whether the news of a livestream has its meeting and its stream key (contract#livestreaming-status-update). */
  readonly webhooksShowAll: boolean
  dialect(state: DialectState): Dialect
}

/** The path relative to the operations' address, with its slash; null outside of it. */
export function pathIn({ apiPath }: Dialect, path: string): string | null {
  return path.startsWith(`${apiPath}/`) ? path.slice(apiPath.length) : null
}
