import type { AuditEvent } from '../../../src/domain/audit/audit-event.ts'
import type { JournalEntry } from '../../../src/simulator/simulator.ts'
import type { Call } from './crash-load.ts'

/** Knowledge of one round, from three sides. */
export interface Round {
  /** The answers to the clients. */
  calls: Call[]
  /** The calls to the vendor. */
  journal: JournalEntry[]
  /** The log after the restart. */
  events: AuditEvent[]
  /** Stops that a crash has cut off before, as `METHOD target`: the gateway repeats them. What this one cuts off is added. */
  cutOff: Set<string>
  /** On the clock of the calls. */
  killedAtMs: number
}

export interface Findings {
  /** One sentence for each thing that should be on record and is not. */
  missing: string[]
  /** How much there was to be missed. */
  counts: {
    calls: number
    answered: number
    /** Answered calls that must have their events however short ago they were answered. */
    mutations: number
    /** Reads and refusals that were answered long enough ago. */
    settledReads: number
    /** Answered with 503. */
    tooSlow: number
    /** Mutations that the vendor had. */
    upstream: number
  }
}

/** So long before the end a read or a refusal must have been written; only mutations wait for their record. */
const behindTheAnswerMs = 1_000

/** Joins the three sides of a round. */
export function compare(round: Round): Findings {
  const missing: string[] = []
  // A call that was cut off is settled in the background, sooner or later: one event more.
  const ofCalls = round.events.filter(({ status_detail }) => status_detail !== 'settled')
  const byRequest = Map.groupBy(ofCalls, event => event.metadata.correlation_uid)
  const counts = { calls: round.calls.length, answered: 0, mutations: 0, settledReads: 0, tooSlow: 0, upstream: 0 }

  for (const { id, kind, status, answeredAtMs } of round.calls) {
    const events = byRequest.get(id) ?? []
    const told = `${kind} ${id}, told ${status}`
    const sent = events[0]?.unmapped.outcome === 'pending'
    const written = events.map(({ unmapped, status_code }) => `${unmapped.outcome} ${status_code ?? ''}`.trim())
    const settled = answeredAtMs < round.killedAtMs - behindTheAnswerMs
    // A record that came too late is closed, and that its caller was refused is one more event.
    const tooLate = events.some(({ unmapped }) => unmapped.outcome === 'not_sent')
    if (sent && events.length !== 2 && !(tooLate && events.length === 3)) {
      missing.push(`${told}: its intent has not one outcome: ${written}`)
    }
    if (status === null) continue
    counts.answered += 1
    if (status === 503) {
      // A machine that has too much to do: who was told that it could not be recorded in time knows less than the log.
      counts.tooSlow += 1
      if (events.length === 0 && settled) missing.push(`${told}: the log has nothing`)
      continue
    }
    const mutation = kind !== 'read' && kind !== 'refusal'
    if (mutation && (sent || status < 300)) {
      counts.mutations += 1
      // A start that finds the meeting live, and who joins another's call, send nothing: then one event says all.
      const byItself = status === 200 && (kind === 'start' || kind === 'stop')
      if (!sent && !byItself) missing.push(`${told}: no intent, but ${written}`)
      if (events.at(-1)?.status_code !== String(status)) missing.push(`${told}: the log says ${written}`)
    } else if (settled) {
      counts.settledReads += 1
      if (events.length !== 1 || events[0]?.status_code !== String(status)) {
        missing.push(`${told} in time: the log says ${written}`)
      }
    }
  }

  // The successor repeats these at once, within this round.
  for (const event of ofCalls) if (event.unmapped.outcome === 'unknown') round.cutOff.add(targetOf(event))
  const mutations = round.journal.filter(({ method }) => method !== 'GET')
  counts.upstream = mutations.length
  missing.push(...unannounced(mutations, round), ...unnamed(mutations, byRequest))
  return { missing, counts }
}

/**
 * The gateway's request id is not the vendor's business, so a stop can only be counted: when the n-th one of a meeting arrived,
 * n intents of stops of this meeting must have been there. The same holds for all other mutations.
 */
function unannounced(mutations: JournalEntry[], { events, cutOff }: Round): string[] {
  const intents = events.filter(({ unmapped }) => unmapped.outcome === 'pending')
  const byTarget = Map.groupBy(intents, targetOf)
  const arrived = new Map<string, number>()
  return mutations.flatMap(({ method, target, at }) => {
    const call = `${method} ${target}`
    const nth = (arrived.get(call) ?? 0) + 1
    arrived.set(call, nth)
    const announced = (byTarget.get(call) ?? []).filter(({ time }) => time <= at).length
    const repeated = call.endsWith('/stop') && cutOff.has(call)
    return announced < nth && !repeated ? [`the vendor had ${nth} of ${call}, the log ${announced}`] : []
  })
}

/** Mutations with a body carry the id of their request: each must have its own intent, and be sent once. */
function unnamed(mutations: JournalEntry[], byRequest: Map<string, AuditEvent[]>): string[] {
  const seen = new Set<string>()
  return mutations.flatMap(({ method, target, body, at }) => {
    const { name, title } = JSON.parse(body || '{}') as { name?: string; title?: string }
    const id = name ?? title
    if (id === undefined) return []
    if (seen.has(id)) return [`the vendor had ${method} ${target} of ${id} twice`]
    seen.add(id)
    const [intent] = byRequest.get(id) ?? []
    const before = intent?.unmapped.outcome === 'pending' && intent.time <= at
    return before ? [] : [`the vendor had ${method} ${target} of ${id}, the log no earlier intent`]
  })
}

function targetOf({ api, resources }: AuditEvent): string {
  const meeting = `/v2/meetings/${resources.find(({ type }) => type === 'meeting')?.uid}`
  if (api.operation === 'createMeeting') return 'POST /v2/meetings'
  if (api.operation === 'updateMeeting') return `PATCH ${meeting}`
  return `POST ${meeting}${api.operation === 'startLivestream' ? '/livestreams' : '/active-livestream/stop'}`
}
