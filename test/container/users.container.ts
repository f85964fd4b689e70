/** A container under uids that the image does not choose. */
import { chownSync, statSync } from 'node:fs'
import t from 'tap'
import { container, docker, world } from '../support/container/docker.ts'

for (const [uid, why] of [
  ['33', 'a uid of the image that is not its own'],
  ['1000680000', 'a uid that OpenShift makes up, and the image does not know']
] as const)
  t.test(`${why} can begin with an empty volume, as one of group 0`, async t => {
    const { gateway, asAcme, meeting } = await world(t, ['--user', `${uid}:0`])
    t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)
    t.equal(await docker('exec', gateway.id, 'id', '-u'), uid)
    t.equal(await docker('exec', gateway.id, 'stat', '-c', '%u', '/data/livegate.db'), uid)
  })

const stranger = ['--user', '54321:54321']

t.test('a uid and group that the image does not know work in a folder that belongs to them', async t => {
  const data = t.testdir()
  chownSync(data, 54321, 54321)
  const { gateway, asAcme, meeting } = await world(t, [...stranger, '-v', `${data}:/data`])
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)
  t.equal(await docker('exec', gateway.id, 'id', '-u'), '54321')
  t.equal(statSync(`${data}/livegate.db`).uid, 54321)
})

t.test('a uid that may not write is told whose the folder is and what to do', async t => {
  const { id, logs } = await container(t, [...stranger, '-e', 'DYTE_ORG_ID=org', '-e', 'DYTE_API_KEY=key'])
  t.equal(await docker('wait', id), '1')
  t.match(
    await logs(),
    /^livegate: uid 54321, group 54321, may not enter \/data: it belongs to uid 1000, group 0[^\n]*\n$/
  )
})
