/** A container of the image: it does its work, ends in order, and loses nothing. */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { until } from '../support/cli.ts'
import { docker, ready, world } from '../support/container/docker.ts'

t.test('a hardened container is healthy and does the main job, with commands by `docker exec`', async t => {
  const { gateway, asAcme, meeting } = await world(t)
  t.match(await gateway.state('json .HostConfig'), /"ReadonlyRootfs":true/)
  const livestreams = `/v2/meetings/${meeting}/livestreams`
  const active = `/v2/meetings/${meeting}/active-livestream`
  const started = await asAcme('POST', livestreams, { name: 'friday-show' })
  t.equal(started.statusCode, 201, started.body)
  const { id } = started.json().data
  t.match((await asAcme('GET', active)).json(), { data: { id, meeting_id: meeting } })
  t.equal((await asAcme('POST', `${active}/stop`)).statusCode, 200)
  t.equal((await asAcme('GET', active)).statusCode, 404)
  t.equal((await asAcme('GET', '/docs/')).statusCode, 200)
  t.match(await gateway.livegate('audit', 'verify'), /^the audit log holds: events 1 to \d+/)
  t.match(await gateway.livegate('doctor'), 'store')
  const health = await until(
    () => gateway.state('.State.Health.Status'),
    status => status !== 'starting'
  )
  t.equal(health, 'healthy')
  t.equal(await gateway.state('.State.OOMKilled'), 'false')
})

t.test('docker stop waits for the calls under way, each is answered, and the exit code is 0', async t => {
  const { gateway, asAcme, meetings, answerLater, changes } = await world(t)
  const all = await meetings(12)
  const before = (await changes()).length
  await answerLater(3_000, all.length)
  const starts = all.map(id => asAcme('POST', `/v2/meetings/${id}/livestreams`))
  await until(changes, calls => calls.length === before + all.length)
  const stopping = docker('stop', '-t', '60', gateway.id)
  const answers = await Promise.all(starts)
  t.strictSame(
    answers.map(({ statusCode }) => statusCode),
    all.map(() => 201)
  )
  await stopping
  t.equal(await gateway.state('.State.ExitCode'), '0')
  t.match(await gateway.logs(), 'livegate has stopped')
})

t.test('docker kill and start lose nothing that was answered, and nothing that the vendor had taken', async t => {
  const { gateway, url, asAcme, meetings, answerLater, changes } = await world(t)
  const [late = '', ...all] = await meetings(6)
  const started = await Promise.all(
    all.map(async id => (await asAcme('POST', `/v2/meetings/${id}/livestreams`)).json().data.id)
  )
  const before = (await changes()).length
  await answerLater(60_000, 1)
  const unanswered = asAcme('POST', `/v2/meetings/${late}/livestreams`).then(
    () => 'answered',
    () => 'cut off'
  )
  await until(changes, calls => calls.length === before + 1)
  await docker('kill', gateway.id)
  t.equal(await unanswered, 'cut off')
  t.equal(await gateway.state('.State.ExitCode'), '137')

  await docker('start', gateway.id)
  await ready(url, gateway)
  const actives = await Promise.all(
    all.map(async id => (await asAcme('GET', `/v2/meetings/${id}/active-livestream`)).json().data.id)
  )
  t.strictSame(actives, started, 'keys, meetings and livestreams are there')
  const again = await until(
    async () => {
      await sleep(500) // each counts against the limit of the tenant
      return asAcme('POST', `/v2/meetings/${late}/livestreams`)
    },
    ({ statusCode }) => statusCode === 200
  )
  t.equal(again.statusCode, 200, again.body)
  t.equal((await changes()).length, before + 1, 'the start that nobody heard of is found, and no second one sent')
  const runs = (await asAcme('GET', '/gateway/runs?live=true')).json().data as { meeting_id: string }[]
  t.strictSame(runs.map(run => run.meeting_id).sort(), [late, ...all].sort())
  for (const id of all) t.equal((await asAcme('POST', `/v2/meetings/${id}/active-livestream/stop`)).statusCode, 200)
  t.equal(await gateway.livegate('operation', 'list', '--open', '--json'), '[]')
  t.match(await gateway.livegate('audit', 'verify'), /^the audit log holds: events 1 to \d+/)
})
