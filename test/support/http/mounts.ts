import type { Reply } from '../gateway.ts'
import { withoutRequestId } from '../gateway.ts'
import type { Ids } from './helper.ts'

/** Addresses of the operations as at Cloudflare. */
export const mount = '/client/v4/accounts/023e105f4ecef8ad9ca31a8372d0c353/realtime/kit/my_App-1'

/** The same address there. */
export function mounted(path: string): string {
  return path.replace('/v2', mount)
}

/** An answer less what differs between two equal calls for two equal things: ids, times and secrets made at random. */
export function essence(reply: Reply, ids: Ids): unknown[] {
  let body = withoutRequestId(reply)
  for (const [name, id] of Object.entries(ids)) body = body.replaceAll(id, name)
  body = body
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'uuid')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'time')
    .replace(/"stream_key":"[^"]*"/g, '"stream_key":"…"')
    .replace(/"token":"[^"]*"/g, '"token":"…"')
    .replace(/"(\w+_(?:consumed|seconds))":[\d.]+/g, '"$1":0')
  const {
    date: _date,
    ratelimit: _left,
    'x-request-id': _id,
    age: _age,
    'content-length': _size,
    'livegate-run': _run,
    ...rest
  } = reply.headers
  return [reply.statusCode, body, rest]
}
