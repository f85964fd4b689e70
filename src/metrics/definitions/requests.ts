import { counter, gauge, histogram } from '../definition.ts'

/** Operations of the API, those on participants under two names, and `unknown` for calls that met none. */
const operations = 45

export const requests = {
  livegate_requests_total: counter(
    'Calls that are over, by API operation (of participants and presets: `getParticipants`, `changeParticipants`), class of their status (`none`: the caller hung up) and outcome',
    { labels: ['operation', 'status', 'outcome'], most: 420 }
  ),
  livegate_request_duration_seconds: histogram(
    'Time from a call to its answer; streams and calls that wait for a run are left out',
    { labels: ['operation'], most: operations }
  ),
  livegate_requests_shed_total: counter(
    'Calls that were refused since the event loop came a second late, twice in a row'
  ),
  livegate_event_streams: gauge('Streams of events that are open'),
  livegate_connections: gauge('Connections of callers that are open'),
  livegate_connections_most: gauge('Connections that callers may have at most')
}
