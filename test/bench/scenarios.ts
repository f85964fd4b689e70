import type { Seeded } from '../support/bench/livegate.ts'
import type { Job } from '../support/bench/load.ts'
import type { VendorCounts } from '../support/bench/upstream.ts'

/** How large a run is. */
export interface Size {
  /** Writes behind the answer are paid as well: so long they may take. */
  settleMs: number
  rounds: number
  reads: number
  /** Starts and stops together. */
  changes: number
  meetings: number
}

export const connections = 32

export interface Scenario {
  name: string
  /** Calls that the vendor may see for each request, at most; the least is what makes the scenario what it is. */
  vendorCalls: { least: number; most: number }
  /** Refusals: only Livegate refuses. */
  oursOnly: boolean
  job(url: string, seeded: Seeded, size: Size): Job
}

export const scenarios = {
  coalesced: {
    name: 'read, all of one meeting',
    vendorCalls: { least: 0, most: 1 },
    oursOnly: false,
    job: (url, { keys }, { reads }) => ({ url, what: 'read', count: reads, connections, keys, meetings: 1 })
  },
  uncoalesced: {
    name: 'read, each of another meeting',
    vendorCalls: { least: 0.9, most: 1 },
    oursOnly: false,
    job: (url, { keys }, { reads, meetings }) => ({ url, what: 'read', count: reads, connections, keys, meetings })
  },
  pairs: {
    name: 'start or stop, in pairs',
    // A start soon after a stop also asks for the last livestream by its own id.
    vendorCalls: { least: 1, most: 2 },
    oursOnly: false,
    job: (url, { keys }, { changes }) => ({
      url,
      what: 'pair',
      count: changes,
      connections,
      keys,
      meetings: connections
    })
  },
  unauthorized: {
    name: 'refused: wrong key (401)',
    vendorCalls: { least: 0, most: 0 },
    oursOnly: true,
    job: (url, { strangersKey }, { reads }) => ({
      ...{ url, what: 'read', count: reads, connections, keys: [strangersKey], meetings: 1, status: 401 }
    })
  },
  throttled: {
    name: 'refused: limit spent (429)',
    vendorCalls: { least: 0, most: 0.001 },
    oursOnly: true,
    job: (url, { throttledKey }, { reads }) => ({
      ...{ url, what: 'read', count: reads, connections, keys: [throttledKey], meetings: 1, status: 429 }
    })
  }
} satisfies Record<string, Scenario>

export type ScenarioName = keyof typeof scenarios
export const scenarioNames = Object.keys(scenarios) as ScenarioName[]

/** Calls of the vendor for each request. */
export function vendorCallsEach({ reads, starts, stops, others }: VendorCounts, requests: number): number {
  return (reads + starts + stops + others) / requests
}
