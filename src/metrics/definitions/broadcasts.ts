import { switches } from '../../domain/operation.ts'
import { runEnders, runStatuses } from '../../domain/runs/run.ts'
import { counter, gauge, histogram } from '../definition.ts'

/** Results of starts and of stops that came to nothing, or whose outcome is not known yet. */
const failures = ['refused', 'not_sent', 'failed', 'unknown']
const starts = { label: 'result', values: ['started', 'joined', 'already_live', ...failures] }
const stops = { label: 'result', values: ['stopped', 'nothing_live', ...failures] }
const kinds = { label: 'kind', values: ['start', 'stop', 'add_participant', ...switches] }

export const broadcasts = {
  livegate_starts_total: counter('Starts of callers, by result', starts),
  livegate_start_duration_seconds: histogram('Time from a start to its result', starts),
  livegate_stops_total: counter('Stops of callers, by result; one whose outcome is `unknown` is repeated', stops),
  livegate_stop_duration_seconds: histogram('Time from a stop to its result', stops),
  livegate_unknown_operations: gauge('Operations whose outcome is searched for, by kind', kinds),
  livegate_unknown_operations_oldest_seconds: gauge('Age of the oldest of them, by kind; 0 where there is none', kinds),
  livegate_operations_settled_total: counter('Unknown outcomes that were found out, by kind of the operation', kinds),
  livegate_live_runs: gauge('Runs that go on, by status', {
    label: 'status',
    values: runStatuses.filter(status => status !== 'ended' && status !== 'errored')
  }),
  livegate_run_ends_total: counter('Runs that have ended, by cause', { label: 'reason', values: runEnders }),
  livegate_live_seconds_total: counter('Time on air of the runs that have ended, in seconds')
}
