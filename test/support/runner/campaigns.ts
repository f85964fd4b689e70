/**
 * The campaigns: tests that leave much to luck, and find the more the longer they run. `npm test` runs a small part of each, with
 * the same choices every time; `npm run campaign` runs all of it, with fresh ones (`campaign.ts`). A new campaign is a line here, and
 * a test that asks `countOf` how much it shall do and takes its choices from `seedOf` or a `Dice`: it prints `LIVEGATE_SEED=…`.
 */
export const campaigns = {
  /** Random edits of the audit log. */
  edits: { file: 'test/audit/proof/verify-edits.test.ts', normally: 250, inFull: 10_000 },
  /** Scripts of calls, faults and restarts, for each of two vendors. */
  scripts: { file: 'test/lifecycle/operations/operation-model.test.ts', normally: 2, inFull: 40 },
  /** Stops at some moment of a start. */
  stops: { file: 'test/guarantees/stops/stop-at-any-moment.test.ts', normally: 144, inFull: 1_008 },
  /** Starts with faults, and starts of a gateway that is killed (10,000 together). */
  starts: { file: 'test/guarantees/starts/ten-thousand-starts.test.ts', normally: 576, inFull: 5_760 },
  killedStarts: { file: 'test/guarantees/starts/ten-thousand-starts-killed.test.ts', normally: 432, inFull: 4_320 },
  /** Ways to answer what the vendor's documents leave open; there are no more than these. */
  worlds: { file: 'test/guarantees/starts/open-questions.test.ts', normally: 16, inFull: 144 },
  /** Starts, and stops at some moment of a start, at vendors with one odd way: for each in full, and otherwise divided among those of one kind. */
  oddStarts: { file: 'test/guarantees/starts/odd-vendors-starts.test.ts', normally: 100, inFull: 1_000 },
  oddStops: { file: 'test/guarantees/stops/odd-vendors-stops.test.ts', normally: 12, inFull: 72 },
  /** Orders of calls to a meeting whose vendor is confused. */
  orders: { file: 'test/guarantees/starts/confused-orders.test.ts', normally: 48, inFull: 480 },
  /** Histories of a meeting's runs, of which the ledger hears late, twice, out of order or not at all. */
  histories: { file: 'test/lifecycle/ledger/truth.test.ts', normally: 100, inFull: 1_000 },
  /** Crashes under load. */
  crashes: { file: 'test/guarantees/record/nothing-missing-after-a-crash.test.ts', normally: 4, inFull: 200 },
  /** Kills of a PostgreSQL server under load. */
  serverKills: { file: 'test/postgres/killed.test.ts', normally: 2, inFull: 50 },
  /** Starts over replicas that are killed. */
  replicaStarts: { file: 'test/replicas/ten-thousand-starts.test.ts', normally: 144, inFull: 10_080 },
  /** Logs that cannot be written, each in another way; there are no more than these. */
  logs: { file: 'test/guarantees/record/the-log-decides-nothing.test.ts', normally: 3, inFull: 9 },
  /** Signals at some moment of a start: half of them to the first process of a container. */
  signals: { file: 'test/guarantees/field/no-signal-is-lost.test.ts', normally: 4, inFull: 40 },
  /** Kills of a gateway whose calls the vendor has. */
  kills: { file: 'test/guarantees/field/killed-while-sent.test.ts', normally: 2, inFull: 500 },
  /** Kills of a gateway in a loop of restarts. */
  restarts: { file: 'test/guarantees/field/restarts-leave-the-quota.test.ts', normally: 2, inFull: 40 },
  /** Seconds in which replicas are asked for more of the vendor's quota than there is. */
  sharedQuota: { file: 'test/replicas/shared-quota.test.ts', normally: 3, inFull: 45 },
  /** Probes of `doctor` that are interrupted, or meet a fault, each at another moment; there are no more than these. */
  probes: { file: 'test/commands/doctor/doctor-probe-trouble.test.ts', normally: 18, inFull: 90 },
  /** Connections of strangers, while a tenant starts and stops. */
  connections: { file: 'test/guarantees/walls/connections-hold-nobody-back.test.ts', normally: 600, inFull: 6_000 }
} as const

/** Whether this is the long run: `npm run campaign` says so to the tests. */
export const inFull = process.env.LIVEGATE_CAMPAIGN === 'full'

/** How much of a campaign this run shall do. */
export function countOf(name: keyof typeof campaigns): number {
  return inFull ? campaigns[name].inFull : campaigns[name].normally
}
