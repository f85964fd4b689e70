import { randomBytes, randomUUID } from 'node:crypto'
import { usualVendor, type VendorName, vendorNames, vendors } from './dialects/vendors.ts'
import { type HeaderFamily, headerFamilies } from './dialects/webhook-headers.ts'
import { assertFields, boolean, callback, number, oneOf, type Rule, type Rules, text } from './rules.ts'
import { readQuota } from './state/quota.ts'

/** Behaviour of the stand-in. The switches answer the open questions (contract#open-questions), one way or the other. */
export interface SimulatorOptions {
  /** The vendor whose API it speaks: Dyte v2 (default) or Cloudflare RealtimeKit (contract#generations). */
  vendor?: VendorName
  /** Address to listen on. Default 127.0.0.1: the control endpoint asks for no credentials. */
  host?: string
  /** Default 0: any free port. */
  port?: number
  /** Dyte: the organization id and API key that Basic auth must carry. Default: made anew for each run. */
  org?: string
  key?: string
  /** RealtimeKit: the account and the app in the path, and the token that Bearer auth must carry. Default: made anew for each run. */
  account?: string
  app?: string
  token?: string
  /** RealtimeKit: the status of a wrong token (contract#bad-token). Default 403. */
  badToken?: '401' | '403'
  /** RealtimeKit: whether what the vendor's document no longer has still answers (contract#dropped-operations). Default gone. */
  dropped?: 'gone' | 'answer'
  /** Dyte: the contract before (L1) or since (L2) July 2023 (contract#two-contracts). Default L2, which RealtimeKit is always. */
  contract?: 'L1' | 'L2'
  /** Time from INVOKED to LIVE, in milliseconds. Default 2000. 0: LIVE at the next look. */
  liveAfterMs?: number
  /** A start while one runs (contract#start-while-live): 409 (default); 200 with the livestream that runs; or a second livestream of the same meeting. */
  startWhileLive?: '200' | '409' | 'second'
  /** Whether `active-livestream` shows a run that is not LIVE yet (contract#active-during-invoked). Default 200. */
  activeDuringInvoked?: '200' | '404'
  /** The answer to a stop when nothing is live, or all that is has been stopped already (contract#stop-with-nothing-live). Default 404. */
  stopWithNothingLive?: '200' | '400' | '404' | '409'
  /** Refusal of a stop of a run that is not LIVE yet: then it goes on (contract#stop-before-live). Default none: it is stopped. */
  stopRefusal?: 'none' | '400' | '404' | '409'
  /** The answer of `active-livestream` when nothing is live (contract#nothing-live): a status, or 200 with `data` null or `{}`. Default 404. */
  nothingLive?: '404' | '400' | '409' | '500' | 'null' | 'empty'
  /**
   * Whether `active-livestream` shows the last livestream when it is over, IDLE or ERRORED, where there is one
   * (contract#active-shows-ended). L2 alone: L1's OFFLINE would not tell it from one that begins. Default false.
   */
  activeShowsEnded?: boolean
  /** Refusal of a field, parameter or id that does not fit (contract#validation). 422 (default) is strict: unknown fields are refused too. */
  validation?: '422' | '400'
  /** Whether the published pattern of a livestream's name holds (contract#livestream-name). Default pattern. */
  livestreamName?: 'pattern' | 'any'
  /** Whether a restarted meeting keeps its livestream (id and stream key) or gets a new one (contract#livestream-id-reuse). Default reused. */
  livestreamId?: 'reused' | 'new'
  /** Whether L2's `active-livestream` carries `ingest_server` and `stream_key`: the schema says yes (default), the example no (contract#active-stream-key). */
  activeShowsStreamKey?: boolean
  /** Published form that the answers of L2 have (contract#two-published-forms). Default example. */
  lists?: 'example' | 'schema'
  /** Whether a participant can be replaced (contract#participant-put). Default: as the vendor's documents have it. */
  participantPut?: 'gone' | 'answer'
  /** The vendor's rate limit, `calls/seconds` and, behind a comma, the seconds of the lock-out, e.g. `12/3,3`. Default none. */
  quota?: string
  /** After a confirmed stop a start is refused for so long, because the old run is still stopping (contract#start-while-stopping). Default 0. */
  restartAfterMs?: number
  /** Status of that refusal. Default 400. */
  restartRefusal?: '400' | '409'
  /** After a confirmed stop the old run goes on for so long, and is shown (contract#run-after-stop). Default 0. */
  stoppingForMs?: number
  /** How often each webhook is sent; 0: never. Default 1 */
  webhookTimes?: number
  /** Real milliseconds from the news to its webhook. Default 0. */
  webhookDelayMs?: number
  /** Whether later webhooks may overtake earlier ones (contract#webhook-retries). Default sent: only by chance. */
  webhookOrder?: 'sent' | 'random'
  /** Whether a webhook that is sent again has its delivery id of before (contract#webhook-delivery-id). Default same. */
  webhookRepeatId?: 'same' | 'new'
  /** The header fields of webhooks (contract#webhook-headers). Default: those that the vendor has published. */
  webhookHeaders?: HeaderFamily | 'both'
  /** Lead of the vendor's clock over `now`, in milliseconds: in every time that it tells, and in the `Date` of its answers. Default 0. */
  clockOffsetMs?: number
  /** Epoch milliseconds, default `Date.now`. Every status and time is computed from it when somebody asks. */
  now?: () => number
  /** Requests that the journal keeps. Default 100 000; then the oldest go, a tenth at a time. */
  journalLimit?: number
}

/** The options with every gap filled. */
export type Settings = Readonly<Required<SimulatorOptions>>

const common: Partial<Record<keyof SimulatorOptions, Rule>> = {
  vendor: oneOf(...vendorNames),
  host: text('a non-empty string', value => value !== ''),
  port: number(0, 65_535),
  liveAfterMs: number(0, Number.MAX_SAFE_INTEGER, true),
  startWhileLive: oneOf('200', '409', 'second'),
  activeDuringInvoked: oneOf('200', '404'),
  stopWithNothingLive: oneOf('200', '400', '404', '409'),
  stopRefusal: oneOf('none', '400', '404', '409'),
  nothingLive: oneOf('404', '400', '409', '500', 'null', 'empty'),
  activeShowsEnded: boolean,
  validation: oneOf('422', '400'),
  livestreamName: oneOf('pattern', 'any'),
  livestreamId: oneOf('reused', 'new'),
  activeShowsStreamKey: boolean,
  lists: oneOf('example', 'schema'),
  participantPut: oneOf('gone', 'answer'),
  quota: text(
    'empty, or calls/seconds like 12/3, with the seconds of a lock-out like 12/3,3',
    value => value === '' || readQuota(value) !== undefined
  ),
  restartAfterMs: number(0, Number.MAX_SAFE_INTEGER, true),
  restartRefusal: oneOf('400', '409'),
  stoppingForMs: number(0, Number.MAX_SAFE_INTEGER, true),
  webhookTimes: number(0, 100),
  webhookDelayMs: number(0, 3_600_000, true),
  webhookOrder: oneOf('sent', 'random'),
  webhookRepeatId: oneOf('same', 'new'),
  webhookHeaders: oneOf(...headerFamilies, 'both'),
  clockOffsetMs: number(-31_536_000_000, 31_536_000_000, true),
  now: callback,
  journalLimit: number(1, Number.MAX_SAFE_INTEGER)
}

const rules: Rules = Object.assign({ ...common }, ...Object.values(vendors).map(({ options }) => options))

/**
 * Fills the gaps. Credentials are made per run, so that none stands in the source and none works twice.
 * @throws TypeError or RangeError naming the option.
 */
export function readOptions(options: SimulatorOptions = {}): Settings {
  assertFields('simulator options', rules, options)
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const { vendor = usualVendor } = options
  // An option of another vendor would be accepted and ignored.
  const foreign = vendorNames
    .filter(name => name !== vendor)
    .flatMap(name => Object.keys(vendors[name].options))
    .find(name => Object.hasOwn(given, name))
  if (foreign) throw new RangeError(`simulator options: "${foreign}" does not go with the vendor ${vendor}`)
  if (options.contract === 'L1' && options.activeShowsEnded)
    throw new RangeError('simulator options: "activeShowsEnded" does not go with the contract L1')
  return {
    vendor,
    host: '127.0.0.1',
    port: 0,
    org: randomUUID(),
    key: randomBytes(10).toString('hex'),
    account: randomBytes(16).toString('hex'),
    app: randomUUID(),
    token: randomBytes(20).toString('hex'),
    badToken: '403',
    dropped: 'gone',
    contract: 'L2',
    liveAfterMs: 2_000,
    startWhileLive: '409',
    activeDuringInvoked: '200',
    stopWithNothingLive: '404',
    stopRefusal: 'none',
    nothingLive: '404',
    activeShowsEnded: false,
    validation: '422',
    livestreamName: 'pattern',
    livestreamId: 'reused',
    activeShowsStreamKey: true,
    lists: 'example',
    participantPut: vendors[vendor].participantPut,
    quota: '',
    restartAfterMs: 0,
    restartRefusal: '400',
    stoppingForMs: 0,
    webhookTimes: 1,
    webhookDelayMs: 0,
    webhookOrder: 'sent',
    webhookRepeatId: 'same',
    webhookHeaders: vendors[vendor].webhookHeaders,
    clockOffsetMs: 0,
    now: Date.now,
    journalLimit: 100_000,
    ...given
  }
}
