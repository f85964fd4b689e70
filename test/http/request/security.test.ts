import t from 'tap'
import { gateway, type Reply } from '../../support/gateway.ts'

const { as, asAcme, withKey, meeting } = await gateway(t)

/** The directives of a policy by name. */
function policy(reply: Reply): Record<string, string> {
  const directives = String(reply.headers['content-security-policy']).split(';')
  return Object.fromEntries(
    directives.map(text => {
      const [name = '', ...values] = text.trim().split(' ')
      return [name, values.join(' ')]
    })
  )
}

t.test('no answer can be framed, sniffed, run or kept by a browser beyond its page', async t => {
  const replies = [
    await asAcme('GET', '/v2/livestreams'),
    await asAcme('POST', `/v2/meetings/${meeting}/livestreams`),
    await asAcme('GET', '/v2/nothing'),
    await as(null)('GET', '/v2/livestreams'),
    await as(null)('GET', '/nothing'),
    await as(null)('GET', '/livez')
  ]
  for (const reply of replies) {
    t.match(reply.headers, {
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'strict-transport-security': /max-age=\d{8}/,
      'cross-origin-resource-policy': 'same-origin'
    })
    const nothing = "'none'"
    t.strictSame(policy(reply), {
      'default-src': nothing,
      'frame-ancestors': nothing,
      'base-uri': nothing,
      'form-action': nothing
    })
    t.equal(reply.headers['x-powered-by'], undefined)
    t.equal(reply.headers.server, undefined)
    t.equal(reply.headers['set-cookie'], undefined)
  }
})

t.test('Swagger UI has a policy under which only its own files run', async t => {
  const page = await as(null)('GET', '/docs/')
  t.equal(page.statusCode, 200)
  t.match(page.headers['content-type'], 'text/html')
  const { 'script-src': script = '', 'style-src': style = '', ...rest } = policy(page)
  for (const sources of [script, style]) {
    t.match(sources, /^'self'( 'sha256-[A-Za-z0-9+/]{43}=')*$/, 'no unsafe-inline, no unsafe-eval, no other host')
  }
  t.match(rest, {
    'default-src': "'none'",
    'base-uri': "'none'",
    'form-action': "'none'",
    'frame-ancestors': "'none'",
    'connect-src': "'self'"
  })
  const files = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file = '']) => file)
  t.ok(files.length >= 4)
  for (const file of files) {
    const { pathname, origin } = new URL(file, 'http://here/docs/')
    t.equal(origin, 'http://here', 'nothing comes from another host')
    t.equal((await as(null)('GET', pathname)).statusCode, 200, pathname)
  }
  const inline = /<script(?![^>]*\bsrc=)[^>]*>[^<]/.test(page.body)
  t.notOk(inline, 'and no script stands in the page')
})

t.test(
  'an answer that shows a stream key is not to be kept by anybody; one that shows none says nothing about it',
  async t => {
    const shown = await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
    const { id, stream_key } = shown.json().data
    t.type(stream_key, 'string')
    t.equal(shown.headers['cache-control'], 'no-store')
    t.equal((await asAcme('GET', `/v2/livestreams/${id}`)).headers['cache-control'], 'no-store')
    t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).headers['cache-control'], 'no-store')

    const viewer = await withKey('acme', ['livestreams:read'])
    const hidden = await viewer.call('GET', `/v2/meetings/${meeting}/active-livestream`)
    t.equal(hidden.statusCode, 200)
    t.strictSame([hidden.json().data.stream_key, hidden.json().data.ingest_server], [undefined, undefined])
    t.equal(hidden.headers['cache-control'], undefined)
  }
)
