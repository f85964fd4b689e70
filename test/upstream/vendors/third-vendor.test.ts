import { randomBytes } from 'node:crypto'
import t from 'tap'
import { checkCredentials } from '../../../src/commands/doctor/credentials.ts'
import { ConfigError, readUpstreams } from '../../../src/config/config.ts'
import { systemClock } from '../../../src/domain/values/clock.ts'
import { openUpstream } from '../../../src/upstream/account/open-upstream.ts'
import { vendors as ours } from '../../../src/upstream/vendors/vendors.ts'
import { accountOf } from '../../support/account.ts'
import { gateway } from '../../support/gateway.ts'
import { roomcast } from '../third-vendor/index.ts'
import { roomcastServer } from '../third-vendor/server.ts'

/** The table with one line more. */
const vendors = new Map([...ours, ['roomcast', roomcast]])
const pass = randomBytes(12).toString('hex')
const variables = { ROOMCAST_STUDIO_ID: 'north', ROOMCAST_PASS: pass }

function read(env: Record<string, string>) {
  return readUpstreams(env, () => '', vendors)
}

t.test('a third vendor of one folder, and one line in the table, runs start, read and stop', async t => {
  const { url, calls } = await roomcastServer(t, 'north', pass)
  const upstreams = read({ ...variables, ROOMCAST_BASE_URL: url })
  const { asAcme, asGlobex, meeting } = await gateway(t, { vendors, config: { upstreams } })
  const active = `/v2/meetings/${meeting}/active-livestream`
  const asked = async (call: typeof asAcme, method: string, path: string) => {
    const reply = await call(method, path)
    return { status: reply.statusCode, body: reply.json() }
  }
  t.match(await asked(asAcme, 'GET', active), { status: 404, body: { error: { type: 'no_active_livestream' } } })

  const started = await asked(asAcme, 'POST', `/v2/meetings/${meeting}/livestreams`)
  t.match(started, { status: 201, body: { data: { meeting_id: meeting, status: 'LIVE' } } })
  const live = { status: 200, body: { data: { id: started.body.data.id, status: 'LIVE' } } }
  t.match(await asked(asAcme, 'GET', active), live)
  t.match(await asked(asAcme, 'POST', `/v2/meetings/${meeting}/livestreams`), live, 'it is live already')
  t.match(await asked(asGlobex, 'GET', active), { status: 404 })
  t.match(await asked(asAcme, 'POST', `${active}/stop`), { status: 200 })
  t.match(await asked(asAcme, 'GET', active), { status: 404 })

  const mutations = calls().filter(call => !call.startsWith('GET'))
  const room = `/studios/north/rooms/${meeting}/show`
  t.strictSame(mutations, [`PUT ${room}`, `POST ${room}/end`], 'one start and one stop have reached it')
})

t.test('its settings are read and checked, from variables and from the list of upstreams', async t => {
  const [account] = read(variables)
  t.match(account, { name: 'default', provider: 'roomcast', quota: { calls: 5_000, seconds: 60 } })
  t.equal(account?.baseUrl.href, 'https://api.roomcast.example/studios/north')
  t.throws(
    () => read({ ...variables, ROOMCAST_STUDIO_ID: '7' }),
    new ConfigError('ROOMCAST_STUDIO_ID must be small letters')
  )
  t.throws(() => read({ ROOMCAST_PASS: pass }), /^ROOMCAST_STUDIO_ID is missing/)
  t.throws(() => read({}), /: set DYTE_ORG_ID and DYTE_API_KEY, or .*, or ROOMCAST_STUDIO_ID and ROOMCAST_PASS, or /)
  t.throws(() => read({ ...variables, DYTE_ORG_ID: 'o', DYTE_API_KEY: 'k' }), /DYTE_\* and ROOMCAST_\* are both set/)

  const listed = (provider: unknown) =>
    readUpstreams(
      { LIVEGATE_UPSTREAMS_FILE: '/upstreams.json' },
      () => JSON.stringify([{ name: 'studio', provider, studio_id: 'north', pass }]),
      vendors
    )
  t.match(listed('roomcast'), [{ name: 'studio', provider: 'roomcast' }])
  for (const unknown of ['zoomcast', 'constructor', '__proto__', undefined, ['roomcast']])
    t.throws(
      () => listed(unknown),
      new ConfigError('LIVEGATE_UPSTREAMS_FILE, upstream studio: provider must be one of dyte, realtimekit, roomcast')
    )
})

t.test('doctor says in its words what is wrong', async t => {
  const { url } = await roomcastServer(t, 'north', pass)
  const check = async (env: Record<string, string>) => {
    const [account] = read({ ...variables, ROOMCAST_BASE_URL: url, ...env })
    if (account === undefined) throw new Error('no account')
    return checkCredentials(account, { deadlineMs: 5_000, clock: systemClock }, vendors)
  }
  t.match(await check({}), [{ status: 'ok' }, { check: 'clock' }])
  const [refused] = await check({ ROOMCAST_PASS: 'wrong-pass' })
  t.match(refused, { status: 'failed', message: 'refused with 400: correct pass (ROOMCAST_PASS)' })
})

t.test('an unknown vendor is refused by its name, and is nobody else', async t => {
  const account = accountOf({ url: 'http://127.0.0.1:9', org: 'o', key: 'k' }, { provider: 'roomcast' })
  const open = () => openUpstream({ account, deadlineMs: 1_000, clock: systemClock })
  t.throws(open, new TypeError('there is no vendor roomcast: there is dyte, realtimekit'))
})
