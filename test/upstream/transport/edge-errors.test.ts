import t from 'tap'
import { cloudflareEdge } from '../../../src/upstream/contract/refusals.ts'

t.test('the vendor is believed that something is not there, with success: false or without a word', async t => {
  for (const body of [
    { success: false, message: 'No active livestream' },
    { success: false, error: { code: 404, message: 'No active livestream' } },
    { success: false },
    { success: true, data: null },
    {}
  ])
    t.ok(cloudflareEdge.isOwnNo(body), JSON.stringify(body))
})

t.test('a router, the edge and a web page say nothing of the vendor, whatever they say', async t => {
  for (const body of [
    { message: 'no Route matched with those values' },
    { message: 'Not Found', success: 'false' },
    { error: 'Not Found', statusCode: 404 },
    { error: { code: 404, message: 'no upstream' } },
    { success: true, message: 'nothing here' },
    { success: true, data: { id: 'one', status: 'LIVE' } },
    { success: true, data: { message: 'Stopped live stream successfully' } },
    { success: false, errors: [{ code: 7003, message: 'Could not route' }] },
    [],
    null,
    '<html>',
    undefined
  ])
    t.notOk(cloudflareEdge.isOwnNo(body), JSON.stringify(body))
})
