import t from 'tap'
import { nobody, simulate } from '../../support/simulator/helper.ts'

const events = ['livestreaming.statusUpdate', 'meeting.ended']
const url = 'https://livegate.example/webhooks/default'

for (const vendor of ['dyte', 'realtimekit'] as const) {
  t.test(`${vendor}: a webhook is registered, shown, changed and removed`, async t => {
    const { call } = await simulate(t, { vendor })
    t.equal((await call('GET', '/webhooks')).status, 404, 'none is a 404')
    const { status, json } = await call('POST', '/webhooks', { name: 'livegate', url, events })
    t.equal(status, 201)
    t.match(json, { success: true, data: { id: String, name: 'livegate', url, events, enabled: true } })
    t.match(json.data, { created_at: String, updated_at: String })
    const own = `/webhooks/${json.data.id}`
    t.strictSame((await call('GET', '/webhooks')).json.data, [json.data])
    t.strictSame((await call('GET', own)).json.data, json.data)
    t.match((await call('PATCH', own, { enabled: false })).json.data, { enabled: false, url, events })
    const whole = { name: 'other', url: `${url}/2`, events: ['meeting.started'] }
    t.match((await call('PUT', own, whole)).json.data, whole)
    t.match((await call('DELETE', own)).json.data, whole)
    t.equal((await call('GET', own)).status, 404)
    t.equal((await call('DELETE', own)).status, 404)
  })
}

t.test('a body that does not fit is a 400 in the form of this service', async t => {
  const { call } = await simulate(t)
  const refusal = async (body: object | undefined, path = '/webhooks', method = 'POST') => {
    const { status, json } = await call(method, path, body)
    return `${status} ${json.error?.message}`
  }
  t.equal(await refusal({ url, events }), '400 BAD_REQUEST: "name" is required')
  t.equal(await refusal({ name: 'a', events }), '400 BAD_REQUEST: "url" is required')
  t.equal(await refusal({ name: 'a', url: 'ftp://a', events }), '400 BAD_REQUEST: "url" must be a valid uri')
  t.match(await refusal({ name: 'a', url, events: ['meeting.over'] }), '400 BAD_REQUEST: "events" must be an array of')
  t.equal(await refusal({ name: 'a', url, events, secret: 'b' }), '400 BAD_REQUEST: "secret" is not allowed')
  t.equal(await refusal(undefined, '/webhooks/7', 'DELETE'), '400 BAD_REQUEST: "id" must be a valid GUID')
  t.equal(await refusal({ events: [] }, `/webhooks/${nobody}`, 'PATCH'), `404 No webhook found with id ${nobody}`)
})

t.test('all names of events are listed', async t => {
  const { call } = await simulate(t, { vendor: 'realtimekit' })
  const { json } = await call('GET', '/webhooks/all')
  t.equal(json.data.length, 9)
  t.ok(events.every(event => json.data.includes(event)))
})
