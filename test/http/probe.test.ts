import t from 'tap'
import { gateway } from '../support/gateway.ts'
const w = await gateway(t, { config: { corsOrigins: ['https://app.example.com'] } })
console.error(w.app.printRoutes({ commonPrefix: false }))
const doc = w.app.swagger() as any
console.error(Object.keys(doc.paths), JSON.stringify(doc.paths['/v2/meetings/{meeting_id}'].get.parameters))
const show = async (p: Promise<any>) => { const r = await p; console.error(r.statusCode, r.headers, r.body.slice(0, 400)) }
await show(w.asAcme('GET', '/v2/meetings', undefined, { origin: 'https://evil.example' }))
await show(w.asAcme('GET', '/v2/meetings', undefined, { origin: 'https://app.example.com' }))
await show(w.as(null)('OPTIONS', '/v2/meetings', undefined, { origin: 'https://app.example.com', 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' }))
await show(w.as(null)('OPTIONS', '/v2/meetings', undefined, { origin: 'https://evil.com', 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' }))
await show(w.asAcme('GET', '/v2/%zz'))
await show(w.asAcme('GET', '/nope'))
await show(w.asAcme('GET', '/v2/nope'))
await show(w.asAcme('GET', '/v2/meetings/' + 'a'.repeat(201)))
await show(w.asAcme('GET', '/v2/meetings/' + 'a'.repeat(20000)))
await show(w.asAcme('POST', '/v2/meetings', '{"a":'+'[' .repeat(10000), {'content-type': 'application/json'}))
await show(w.asAcme('POST', '/v2/meetings', '"'+'a'.repeat(65535)+'"', {'content-type': 'application/json'}))
await show(w.asAcme('POST', '/v2/meetings', '"'+'a'.repeat(65534)+'"', {'content-type': 'application/json'}))
await show(w.asAcme('POST', '/v2/meetings', 'a=b', {'content-type': 'text/plain'}))
await show(w.asAcme('POST', '/v2/meetings', '{"titel":"a","title":7}', {'content-type': 'application/json'}))
await show(w.as(null)('GET', '/v2/meetings'))
await show(w.as(null)('GET', '/nope'))
