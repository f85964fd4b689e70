import { request as ask, createServer } from 'node:http'
import t, { type Test } from 'tap'
import { client, gateway, type Reply } from '../../support/gateway.ts'
import { listen } from '../../support/listen.ts'

/** A reverse proxy that has the gateway at `/gw`, and something else everywhere else. Gives its origin. */
async function proxyAt(t: Test, url: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const server = createServer((request, response) => {
    const { url: path = '', method, headers } = request
    if (!path.startsWith('/gw/')) return void response.writeHead(404).end('not the gateway')
    const passed = ask({ hostname, port, method, headers, path: path.slice('/gw'.length), agent: false }, answer => {
      response.writeHead(answer.statusCode ?? 0, answer.headers)
      answer.pipe(response)
    })
    request.pipe(passed)
  })
  return `http://127.0.0.1:${await listen(t, server)}`
}

/** Asks as a browser does: addresses are resolved against the page, and redirects followed. */
async function open(address: URL): Promise<{ at: URL; reply: Reply }> {
  const reply = await client(address.origin, null)('GET', address.pathname + address.search)
  const { location } = reply.headers
  return reply.statusCode === 302 ? open(new URL(String(location), address)) : { at: address, reply }
}

const pages = ['/docs', '/docs/', '/docs?x=1', '/docs/?x=1', '/docs/static/index.html']

for (const prefix of ['', '/gw']) {
  const where = prefix === '' ? 'at the root' : 'behind a proxy that takes a prefix away'
  t.test(`the documentation works ${where}: page, files, document and the address of its calls`, async t => {
    const { url } = await gateway(t, { config: { addressLimit: { calls: 1_000, seconds: 60, burst: 1_000 } } })
    const origin = prefix === '' ? url : await proxyAt(t, url)
    for (const page of pages) {
      const { at, reply } = await open(new URL(prefix + page, origin))
      t.equal(reply.statusCode, 200, page)
      const files = [...reply.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file = '']) => file)
      t.ok(files.length >= 7)
      for (const file of files) t.equal((await open(new URL(file, at))).reply.statusCode, 200, `${page} ${file}`)
      // As the page's script finds it.
      const document = await open(new URL('./json', `${at.href.replace(/\/$/, '')}/`))
      t.equal(document.reply.statusCode, 200, `${page} json`)
      t.equal(await calls(document), 200, `${page}: its calls arrive`)
    }
    for (const path of ['/openapi.json', '/docs/json', '/docs/yaml']) {
      const document = await open(new URL(prefix + path, origin))
      t.equal(await calls(document), 200, path)
    }
  })
}

/** Makes a first call as OpenAPI says, to a server whose address is relative to the document's own. Gives the answer. */
async function calls({ at, reply }: { at: URL; reply: Reply }): Promise<number> {
  const [, server = ''] = /"?servers"?:\s*(?:\[\{[^}]*|- )"?url"?: ?"?(\.+)/.exec(reply.body) ?? []
  const base = new URL(server, at).href.replace(/\/$/, '')
  return (await open(new URL(`${base}/livez`))).reply.statusCode
}
