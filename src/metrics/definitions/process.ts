import { degraded, warnings } from '../../domain/health.ts'
import { counter, gauge, histogram } from '../definition.ts'

/** The process and its health. Names that begin with `process_` are those that all Prometheus clients use. */
export const gatewayProcess = {
  livegate_build_info: gauge('1, with the versions of Livegate and Node', { labels: ['version', 'node'], most: 2 }),
  livegate_ready: gauge('1 while calls are welcome'),
  livegate_degraded: gauge('1 while that part does not work, as `/readyz` says', { label: 'part', values: degraded }),
  livegate_warning: gauge('1 while `/readyz` has that warning', { label: 'warning', values: warnings }),
  livegate_valkey_connected: gauge('1 while Valkey answers in time; none where there is no Valkey'),
  livegate_tenants: gauge('Tenants in memory'),
  livegate_event_loop_delay_seconds: histogram('Lateness of a timer, looked at ten times a second'),
  livegate_heap_used_bytes: gauge("JavaScript's heap in use"),
  livegate_heap_limit_bytes: gauge("Largest size of JavaScript's heap"),
  livegate_threads: gauge('Threads of the process'),
  livegate_recording_errors_total: counter('Things that metrics could not count, for a fault of their own'),
  process_cpu_seconds_total: counter('CPU time of the process, in seconds'),
  process_resident_memory_bytes: gauge('Memory of the process'),
  process_open_fds: gauge('Open file descriptors'),
  process_start_time_seconds: gauge('Start of the process, in seconds of Unix time')
}
