import t from 'tap'
import { presets } from '../../../src/domain/scope.ts'
import { plenty } from '../../support/config.ts'
import { gateway } from '../../support/gateway.ts'
import { documentedRoutes, fill, type RawSocket, rawSocket } from '../../support/http/helper.ts'
import { mounted } from '../../support/http/mounts.ts'
import fc, { runs } from '../../support/runner/properties.ts'

/**
 * Bar E2: whatever stands where an id belongs, the vendor never sees a request outside of the templates. Targets are sent byte
 * for byte, as no HTTP client would, and the vendor's side is looked at byte for byte, too.
 */
const world = await gateway(t, {
  slowDisk: true,
  config: { readLimit: plenty, writeLimit: plenty, addressLimit: plenty }
})
const { app, asAcme, meeting, otherMeeting, url, upstream, simulator, withKey } = world
const { key } = await withKey('acme', presets.owner)
const { id: livestream } = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
const routes = documentedRoutes(app).filter(({ path }) => path.includes('{'))

/** Every call that these routes may make upstream for the caller's own meeting and livestream. */
const templates = new Set(
  [
    `GET /v2/meetings/M`,
    `PATCH /v2/meetings/M`,
    `PUT /v2/meetings/M`,
    `GET /v2/meetings/M/active-livestream`,
    `POST /v2/meetings/M/active-livestream/stop`,
    `POST /v2/meetings/M/livestreams`,
    `PUT /v2/livestreams/L/enable`,
    `PUT /v2/livestreams/L/disable`,
    `POST /v2/livestreams/L/reset-stream-key`,
    `GET /v2/livestreams/L/active-livestream-session`,
    `GET /v2/meetings/M/livestream?page_no=1&per_page=25`,
    `GET /v2/meetings/M/active-session`,
    `GET /v2/meetings/M/participants?page_no=1&per_page=25`,
    `POST /v2/meetings/M/participants`,
    `GET /v2/meetings/M/participants?page_no=1&per_page=100`,
    `POST /v2/meetings/M/active-session/kick`,
    `POST /v2/meetings/M/active-session/kick-all`,
    `POST /v2/meetings/M/active-session/mute`,
    `POST /v2/meetings/M/active-session/mute-all`,
    `GET /v2/livestreams/L?page_no=1&per_page=25`,
    `GET /v2/livestreams/L?page_no=1&per_page=1`
  ].map(template => template.replace('/M', `/${meeting}`).replace('/L', `/${livestream}`))
)

/** Each of these pieces; a space parts them. */
const oneOf = (pieces: string) => fc.constantFrom(...pieces.split(' '))
const dots = oneOf('. .. ... .; ..; %2e %2E%2e .%2e %252e%252e %25%32%65 %c0%ae %u002e')
const slashes = oneOf('/ // \\ %2f %2F %5c %252f %255c %c0%af %ef%bc%8f ;/ /./ /../')
const controls = fc.oneof(
  oneOf('%00 %0d%0a %0a %09 %7f %20 \u0000 \r \n \r\n \t \u007f \u0008 \u0085'),
  fc.constant(' ')
)
const marks = oneOf('? # %3f %23 & = ; : @ * % %% %z %2 + " < { } | ^ ` [ ] ~ ! $ \' ( ) ,')
const letters = oneOf('é \u202e \ufeff \u2028 \uff0e \uff0f \u{1f600} \ud800 ı ﬁ').map(text =>
  Buffer.from(text).toString('latin1')
)
const encoded = letters.map(bytes => bytes.replace(/./gs, byte => `%${byte.charCodeAt(0).toString(16)}`))
const words = oneOf(
  `orgs v2 meetings livestreams active-livestream stop presets - _ a 0 ${meeting} ${otherMeeting} ${livestream}`
)
const long = fc.constantFrom(65, 200, 201, 1_500).map(length => 'a'.repeat(length))
const piece = fc.oneof(
  { arbitrary: dots, weight: 4 },
  { arbitrary: slashes, weight: 4 },
  { arbitrary: controls, weight: 2 },
  { arbitrary: marks, weight: 2 },
  { arbitrary: letters, weight: 1 },
  { arbitrary: encoded, weight: 1 },
  { arbitrary: words, weight: 3 },
  { arbitrary: long, weight: 1 },
  { arbitrary: fc.string({ maxLength: 6 }), weight: 1 }
)
const hostileId = fc.array(piece, { minLength: 1, maxLength: 7 }).map(pieces => pieces.join(''))
const before = oneOf('    http://127.0.0.1 http://evil.example:81 https://u:p@evil.example x: // / \\ * .. /. /%2e')

const all = (id: string) => ({
  meeting_id: id,
  livestream_id: id,
  livestream_session_id: id,
  session_id: id,
  run_id: id,
  participant_id: id
})
/** Where the id stands: in the path of an operation, or where account and app are named. */
const places = [
  (path: string, id: string) => fill(path, all(id)),
  (path: string, id: string) => mounted(fill(path, all(id))),
  (path: string, id: string) =>
    `/client/v4/accounts/${id}/realtime/kit/app${fill(path, all(meeting)).replace('/v2', '')}`,
  (path: string, id: string) =>
    `/client/v4/accounts/account/realtime/kit/${id}${fill(path, all(meeting)).replace('/v2', '')}`
]
const target = fc.record({
  route: fc.constantFrom(...routes),
  prefix: before,
  place: fc.constantFrom(...places)
})

/**
 * True when the target is, percent signs aside, one of the caller's own things: then it is no attack, and answered. Blanks behind the
 * target are no part of it: Node's parser passes over them, as RFC 9112 (section 3) allows, and nobody behind it could refuse them.
 */
function ownThing(target: string): boolean {
  const path = target
    .replace(/ +$/, '')
    .replace(/^https?:\/\/[^/]*/, '')
    .replace(/[?#].*$/s, '')
  const segments = path.split('/').map(segment => {
    try {
      return decodeURIComponent(segment)
    } catch {
      return segment
    }
  })
  return segments.some(segment => segment === meeting || segment === livestream) && segments.every(isPlain)
}

/** No id at all, and so the list: of one slash at the end nobody is told. */
const list =
  /^(https?:\/\/[^/]*)?(\/v2|\/client\/v4\/accounts\/[^/]+\/realtime\/kit\/[^/]+)\/(meetings|livestreams)\/([?#].*)?$/s

function isPlain(segment: string): boolean {
  return /^[A-Za-z0-9_-]*$/.test(segment)
}

/** The bytes of a request with the caller's key. */
function requestFor(method: string, target: string): string {
  const body = method === 'GET' ? '' : 'content-type: application/json\r\ncontent-length: 2\r\n'
  return `${method} ${target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n${body}\r\n${body && '{}'}`
}

t.test('blanks around a target are no part of it; all else that a blank can do to it is refused', async t => {
  const own = `/v2/meetings/${meeting}`
  const answerTo = async (target: string) => {
    const before = upstream().length
    const socket = await rawSocket(url)
    socket.write(requestFor('GET', target))
    const { statusCode } = await socket.answer()
    socket.destroy()
    return [statusCode, ...upstream().slice(before)]
  }
  for (const target of [own, `${own} `, `${own}   `, ` ${own}`]) {
    t.strictSame(await answerTo(target), [200, `GET ${own}`], JSON.stringify(target))
  }
  for (const target of [
    `${own}\t`,
    `${own} x`,
    `${own} \t`,
    `${own} HTTP/1.1`,
    `${own} \r\n`,
    `${own}%20`,
    `/v2/meetings/ ${meeting}`
  ]) {
    t.strictSame(await answerTo(target), [400], JSON.stringify(target))
  }
})

t.test(
  'a hostile id is refused in any place of an id, and the vendor sees no request outside of the templates',
  async t => {
    let socket: RawSocket = await rawSocket(url)
    const seen = new Map<number, number>()
    const seenBefore = upstream().length
    const property = fc.asyncProperty(target, hostileId, async ({ route, prefix, place }, id) => {
      const target = prefix + place(route.path, id)
      fc.pre(!ownThing(target) && !list.test(target.trimEnd()))
      if (socket.ended()) {
        socket.destroy()
        socket = await rawSocket(url)
      }
      socket.write(requestFor(route.method, target))
      const { statusCode, json } = await socket.answer()
      seen.set(statusCode, (seen.get(statusCode) ?? 0) + 1)
      const { success, error } = json()
      if (success !== false || error.code !== statusCode) throw new Error(`${statusCode} without the envelope`)
      // 501: what follows the id makes it an operation that Livegate does not have, whatever the id is.
      if (![400, 404, 501].includes(statusCode)) throw new Error(`answered with ${statusCode}`)
    })
    await t.resolves(fc.assert(property, { numRuns: runs(2_500) }))
    socket.destroy()
    for (const status of [400, 404]) t.ok(seen.has(status), `${status}`)
    const strange = upstream()
      .slice(seenBefore)
      .filter(call => !templates.has(call))
    t.strictSame(strange, [])
    t.equal(simulator.livestreams().length, 1, 'nothing was started')
  }
)
