import { counter, gauge, histogram } from '../definition.ts'

/** The audit log, the store and the operational log. */
export const records = {
  livegate_audit_append_duration_seconds: histogram('Time until audit events are durable'),
  livegate_audit_append_errors_total: counter('Writes of audit events that have failed; the events wait'),
  livegate_audit_events_waiting: gauge('Audit events that wait behind answers'),
  livegate_audit_records_waiting: gauge('Records of mutations that the store could not take yet'),
  livegate_audit_events_at_risk: gauge('Audit events that neither the store nor the log has'),
  livegate_audit_chain_length: gauge('Number of the last event that a checkpoint has signed'),
  livegate_audit_checkpoint_age_seconds: gauge('Time since the audit log was signed last, or since the start'),
  livegate_audit_checkpoint_errors_total: counter('Checkpoints that could not be signed or written'),
  livegate_store_write_duration_seconds: histogram('Time of a transaction, its wait for the group included'),
  livegate_store_read_duration_seconds: histogram('Time of a look-up in the store'),
  livegate_store_errors_total: counter('Transactions (`write`) and look-ups (`read`) that the store could not do', {
    label: 'kind',
    values: ['read', 'write']
  }),
  livegate_store_writes_waiting: gauge('Transactions that are being written or wait for it'),
  livegate_store_age_seconds: gauge('Time since memory followed the store last'),
  livegate_log_lines_lost_total: counter('Lines of the operational log that were lost'),
  livegate_log_lines_waiting: gauge('Lines of the operational log that wait, or are lost and not told of yet'),
  livegate_trace_spans_lost_total: counter(
    'Spans of traces that the collector did not take, or for which there was no room'
  )
}
