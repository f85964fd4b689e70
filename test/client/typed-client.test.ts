import { readFileSync } from 'node:fs'
import openapiTS, { astToString, COMMENT_HEADER } from 'openapi-typescript'
import t from 'tap'
import { gateway } from '../support/gateway.ts'
import { connect, startShow } from './front-end.ts'

const here = (file: string): URL => new URL(file, import.meta.url)

t.test('a front end with types from the document starts, watches until it is live, and stops', async t => {
  let now = Date.now()
  const world = await gateway(t, { simulator: { liveAfterMs: 2_000, now: () => now } })
  const { key } = await world.withKey('acme', ['livestreams:read', 'livestreams:start', 'livestreams:stop'])
  const livegate = connect(world.url, key)
  const started = await startShow(livegate, world.meeting)
  t.match(started, { meeting_id: world.meeting, status: 'INVOKED', playback_url: /^https:/ })
  t.equal(started.stream_key, undefined)

  const path = { params: { path: { meeting_id: world.meeting } } }
  const seen: string[] = []
  while (seen.at(-1) !== 'LIVE' && seen.length < 5) {
    const { data } = await livegate.GET('/v2/meetings/{meeting_id}/active-livestream', path)
    seen.push(data?.data.status ?? 'nothing')
    now += 1_000
  }
  t.strictSame(seen, ['INVOKED', 'INVOKED', 'LIVE'])

  const stop = await livegate.POST('/v2/meetings/{meeting_id}/active-livestream/stop', path)
  t.match(stop.data, { success: true, data: { message: String } })
  const { data, error } = await livegate.GET('/v2/meetings/{meeting_id}/active-livestream', path)
  t.equal(data, undefined)
  t.match(error, { success: false, error: { code: 404, type: 'no_active_livestream', request_id: String } })
  await t.rejects(startShow(livegate, 'unknown'), new Error('No such meeting'))
  const { response } = await livegate.POST('/v2/meetings', { body: { title: 'Board' } })
  t.equal(response.status, 403)
})

t.test('a call that the document does not have is refused by the compiler, and by the gateway', async t => {
  const { url, meeting, withKey } = await gateway(t)
  const livegate = connect(url, (await withKey('acme', ['livestreams:start', 'meetings:read'])).key)
  const path = { params: { path: { meeting_id: meeting } } }
  // @ts-expect-error no such address
  const misspelt = await livegate.GET('/v2/meeting/{meeting_id}', path)
  // @ts-expect-error a name is text
  const refused = await livegate.POST('/v2/meetings/{meeting_id}/livestreams', { ...path, body: { name: 7 } })
  // @ts-expect-error which meeting?
  const nameless = await livegate.GET('/v2/meetings/{meeting_id}', { params: {} })
  t.strictSame(
    [misspelt, refused, nameless].map(({ response }) => response.status),
    [404, 400, 400],
    'and by the gateway'
  )
})

t.test('the committed types are those of the document: `npm run openapi` brings them up to date', async t => {
  const types = COMMENT_HEADER + astToString(await openapiTS(here('../../openapi/livegate.json')))
  t.equal(types === readFileSync(here('livegate.d.ts'), 'utf8'), true, 'test/client/livegate.d.ts')
})

t.test('the page on the API shows code that was compiled and run', async t => {
  const page = readFileSync(here('../../docs/api.md'), 'utf8')
  const [, shown] = /^## From a front end$[\s\S]*?```ts\n([\s\S]*?)```/m.exec(page) ?? []
  t.equal(shown, readFileSync(here('front-end.ts'), 'utf8'))
})
