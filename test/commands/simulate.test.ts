import { randomUUID } from 'node:crypto'
import t from 'tap'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { measured, refused, runHere, startProcess } from '../support/cli.ts'

t.test('simulate prints where it listens and what it accepts, and behaves as its switches say', async t => {
  const meeting = randomUUID()
  const [org, key] = [randomUUID(), randomUUID()]
  const switches = {
    '--contract': 'L2',
    '--live-after': '0',
    '--start-while-live': '200',
    '--active-during-invoked': '404',
    '--stop-with-nothing-live': '200',
    '--stop-refusal': '404',
    '--nothing-live': '500',
    '--stopping-for': '3600000',
    '--restart-after': '7200000',
    '--restart-refusal': '409',
    '--validation': '400',
    '--livestream-name': 'any',
    '--livestream-id': 'new',
    '--lists': 'schema',
    '--participant-put': 'answer',
    '--quota': '1000/60,60',
    '--webhook-times': '2',
    '--webhook-delay': '1',
    '--webhook-order': 'random',
    '--webhook-repeat-id': 'new',
    '--webhook-headers': 'both'
  }
  const place = ['--host', '127.0.0.1', '--port', '0', '--meeting', meeting, '--meeting', randomUUID(), '--json']
  const child = startProcess(t, [
    'simulate',
    '--org',
    org,
    '--key',
    key,
    ...place,
    ...Object.entries(switches).flat(),
    '--active-shows-ended'
  ])
  const [line] = await child.line(/^.*\n/)
  const printed = JSON.parse(line)
  t.match(printed, { org, key, url: /^http:\/\/127\.0\.0\.1:\d+\/v2$/, control: /^http:\/\/.*\/_simulator$/ })

  const authorization = `Basic ${Buffer.from(`${org}:${key}`).toString('base64')}`
  const call = (method: string, path: string, body?: string) =>
    fetch(`${printed.url}/meetings/${meeting}/${path}`, { method, headers: { authorization }, ...(body && { body }) })
  t.equal((await call('POST', 'active-livestream/stop')).status, 200, '--stop-with-nothing-live')
  t.equal((await call('GET', 'active-livestream')).status, 500, '--nothing-live')
  const named = JSON.stringify({ name: 'Friday show', unknown: true })
  const first = (await (await call('POST', 'livestreams', named)).json()) as { data: { id: string } }
  const second = await call('POST', 'livestreams')
  t.equal(second.status, 200, '--start-while-live')
  t.match(await second.json(), { data: { id: first.data.id } })
  t.match(await (await call('GET', 'active-livestream')).json(), { data: { status: 'LIVE' } }, '--live-after')
  t.equal((await call('POST', 'active-livestream/stop')).status, 200)
  t.match(await (await call('GET', 'active-livestream')).json(), { data: { status: 'LIVE' } }, '--stopping-for')
  t.equal((await call('POST', 'livestreams')).status, 409, '--restart-after')
  t.equal((await fetch(`${printed.url}/meetings`)).status, 401)

  child.signal('SIGTERM')
  t.strictSame(await child.ended, { code: 0, stdout: line, stderr: '' }, 'one JSON document and nothing else')
})

t.test('as RealtimeKit it has an account, an app and a token, and what it prints configures a client', async t => {
  const [account, app, token] = ['0'.repeat(32), randomUUID(), randomUUID()]
  const given = { '--vendor': 'realtimekit', '--account': account, '--app': app, '--token': token }
  const switches = { '--bad-token': '403', '--dropped': 'answer', '--quota': '1000/60' }
  const args = Object.entries({ '--port': '0', ...given, ...switches }).flat()
  const child = startProcess(t, ['simulate', ...args, '--json'])
  const [line] = await child.line(/^.*\n/)
  const { url, control, ...credentials } = JSON.parse(line)
  t.strictSame(credentials, { account, app, token })
  t.match(url, /^http:\/\/127\.0\.0\.1:\d+\/client\/v4$/)
  t.match(control, /:\d+\/_simulator$/)

  const call = (path: string, withToken: string, method = 'GET') =>
    fetch(`${url}/accounts/${account}/realtime/kit/${app}${path}`, {
      method,
      headers: { authorization: `Bearer ${withToken}` }
    })
  const meetings = await call('/meetings', token)
  t.equal(meetings.status, 200)
  t.match(meetings.headers.get('ratelimit'), /^"default";r=999;t=60$/)
  t.equal((await call('/meetings', 'wrong')).status, 403, '--bad-token')
  t.equal((await call('/livestreams', token, 'POST')).status, 201, '--dropped')
  const credential = randomUUID()
  const rotated = { method: 'PUT', body: JSON.stringify({ credentials: [credential] }) }
  t.equal((await fetch(`${control}/credentials`, rotated)).status, 200)
  t.equal((await call('/meetings', token)).status, 403)
  t.equal((await call('/meetings', credential)).status, 200)

  child.signal('SIGTERM')
  t.strictSame(await child.ended, { code: 0, stdout: line, stderr: '' })
})

t.test('as text RealtimeKit prints its own lines for .env', async t => {
  const child = startProcess(t, ['simulate', '--port', '0', '--vendor', 'realtimekit'])
  const [, url, other, account, app, token] = await child.line(
    /vendor listens: (\S+)\nREALTIMEKIT_BASE_URL=(\S+)\nREALTIMEKIT_ACCOUNT_ID=(\S+)\nREALTIMEKIT_APP_ID=(\S+)\nREALTIMEKIT_API_TOKEN=(\S+)\n$/
  )
  t.equal(url, other)
  const headers = { authorization: `Bearer ${token}` }
  t.equal((await fetch(`${url}/accounts/${account}/realtime/kit/${app}/meetings`, { headers })).status, 200)
  t.notMatch(child.stdout(), 'DYTE')
  child.signal('SIGINT')
  t.equal((await child.ended).code, 0)
})

t.test('as text it prints lines for .env; Ctrl-C ends it with 0', async t => {
  const child = startProcess(t, ['simulate', '--port', '0', '--contract', 'L1'], measured)
  const [, url, other] = await child.line(
    /vendor listens: (\S+)\nDYTE_BASE_URL=(\S+)\nDYTE_ORG_ID=\S+\nDYTE_API_KEY=\S+\n/
  )
  t.equal(url, other)
  child.signal('SIGINT')
  t.equal((await child.ended).code, 0)
})

t.test('a switch with another value is wrong usage, and named as it was typed', async t => {
  const refusals: [string[], RegExp][] = [
    [['--vendor', 'zoom'], /^--vendor must be one of dyte, realtimekit$/],
    [['--vendor', 'realtimekit', '--contract', 'L1'], /^--contract does not go with the vendor realtimekit$/],
    [['--vendor', 'realtimekit', '--key', 'x'], /^--key does not go with the vendor realtimekit$/],
    [['--token', 'x'], /^--token does not go with the vendor dyte$/],
    [['--account', 'x'], /^--account must be 32 hexadecimal digits$/],
    [['--app', 'x'], /^--app must be a UUID, or 32 hexadecimal digits$/],
    [['--token', 'a b'], /^--token must be a string that can stand in a Bearer header$/],
    [['--bad-token', '400'], /^--bad-token must be one of 401, 403$/],
    [['--dropped', 'no'], /^--dropped must be one of gone, answer$/],
    [['--contract', 'L3'], /^--contract must be one of L1, L2$/],
    [['--start-while-live', '500'], /^--start-while-live must be one of 200, 409, second$/],
    [['--active-during-invoked', '500'], /^--active-during-invoked must be one of 200, 404$/],
    [['--stop-with-nothing-live', '500'], /^--stop-with-nothing-live must be one of 200, 400, 404, 409$/],
    [['--stop-refusal', '500'], /^--stop-refusal must be one of none, 400, 404, 409$/],
    [['--nothing-live', '200'], /^--nothing-live must be one of 404, 400, 409, 500, null, empty$/],
    [['--active-shows-ended', '--contract', 'L1'], /^--active-shows-ended does not go with the contract L1$/],
    [['--stopping-for', 'long'], /^--stopping-for must be a whole number$/],
    [['--restart-after', '-1'], /^--restart-after must be a whole number$/],
    [['--restart-refusal', '404'], /^--restart-refusal must be one of 400, 409$/],
    [['--validation', '200'], /^--validation must be one of 422, 400$/],
    [['--livestream-name', 'no'], /^--livestream-name must be one of pattern, any$/],
    [['--livestream-id', 'old'], /^--livestream-id must be one of reused, new$/],
    [['--participant-put', 'no'], /^--participant-put must be one of gone, answer$/],
    [['--lists', 'both'], /^--lists must be one of example, schema$/],
    [['--live-after', '-1'], /^--live-after must be a whole number$/],
    [['--live-after', '1.5'], /^--live-after must be a whole number$/],
    [['--port', 'any'], /^--port must be a whole number$/],
    [['--port', '65536'], /^--port must be a whole number from 0 to 65535$/],
    [['--org', 'a:b'], /^--org must be a non-empty string without a colon/],
    [['--key', ''], /^--key must be a non-empty string$/],
    [['--host', ''], /^--host must be a non-empty string$/],
    [['--port', '0', '--meeting', 'no-uuid'], /^--meeting must be a UUID$/]
  ]
  for (const [args, message] of refusals) {
    const outcome = await runHere(['simulate', ...args], {})
    t.equal(outcome.code, 2, args.join(' '))
    t.match(refused(outcome), message)
  }
  const twice = randomUUID()
  const outcome = await runHere(['simulate', '--port', '0', '--meeting', twice, '--meeting', twice], {})
  t.equal(outcome.code, 2)
  t.equal(refused(outcome), `--meeting ${twice} is taken`)
})

t.test('a port that is taken, or an address that is not of this machine, is one line and exit code 1', async t => {
  const simulator = await createSimulator()
  t.teardown(() => simulator.close())
  const taken = await runHere(['simulate', '--port', String(simulator.port)], {})
  t.equal(taken.code, 1)
  t.equal(refused(taken), `port ${simulator.port} is taken; --host and --port say where`)
  const elsewhere = await runHere(['simulate', '--port', '0', '--host', '192.0.2.1'], {})
  t.equal(elsewhere.code, 1)
  t.match(refused(elsewhere), /^cannot listen: .*EADDRNOTAVAIL.*; --host and --port say where$/)
})
