/** The tables of the ledger (docs/ledger.md). */
export interface RunTables {
  broadcast_runs: BroadcastRunsTable
  run_events: RunEventsTable
}

/** One broadcast run (`run.ts`), whoever began it. Its `revision` is its own: each move counts one on. */
export interface BroadcastRunsTable {
  id: string
  tenant_id: string
  upstream: string
  /** Null for the run of a livestream that has no meeting. */
  meeting_id: string | null
  livestream_id: string | null
  /** The vendor's livestream session. */
  session_id: string | null
  operation_id: string | null
  status: string
  invoked_at: number | null
  live_at: number | null
  ended_at: number | null
  ended_by: string | null
  deadline_at: number | null
  max_duration_seconds: number | null
  playback_url: string | null
  /** Looks that have shown nothing of it since it was seen last, and the time of the first of them. */
  quiet_looks: number
  quiet_at: number | null
  created_at: number
  /** Cause for which its stop was ordered. */
  ending_by: string | null
  /** Time at which the tenant's minutes of the month are spent. */
  spent_at: number | null
  /** End that its tenant was warned of. */
  warned_for: number | null
  /** 1: no participant of the meeting sends its video. */
  manual_ingest: number | null
  /** Session of its meeting that was seen last during the run, and when a look first showed that it is gone. */
  meeting_session_id: string | null
  session_gone_at: number | null
  /** Its place in the order in which runs became known. */
  ordinal: number
  revision: number
}

/** An event of a run. It never has a stream key. */
export interface RunEventsTable {
  /** Its place in the order of commits. */
  seq: number
  run_id: string
  tenant_id: string
  upstream: string
  meeting_id: string | null
  livestream_id: string | null
  type: string
  status: string
  playback_url: string | null
  reason: string | null
  at: number
}
