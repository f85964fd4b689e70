import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { promisify } from 'node:util'
import t from 'tap'
import { parseKey } from '../../src/domain/api-key.ts'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { measured, type Running, refused, runHere, runProcess, startProcess, until } from '../support/cli.ts'
import { client, type Reply, type TestContext } from '../support/gateway.ts'

const run = promisify(execFile)
const curlLine = /^curl .*$/gm

/** Does what a printed curl line says: the shell takes it apart, as it would for somebody who pastes it; we send it. */
async function paste(line: string): Promise<Reply> {
  // A function in the place of curl, so that this runs also where there is none.
  const { stdout } = await run('sh', ['-c', `curl() { printf '%s\\n' "$@"; }\n${line}`])
  const words = stdout.trimEnd().split('\n')
  let [method, authorization, url]: (string | undefined)[] = ['GET']
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === '-X') method = words.shift()
    else if (word === '-H') authorization = words.shift()?.replace(/^Authorization: /, '')
    else if (word !== '-sS') url = word
  }
  const { origin, pathname } = new URL(url ?? '')
  return client(origin, authorization ?? null)(method ?? '', pathname)
}

async function startDemo(t: TestContext, folder: string, ...args: string[]): Promise<Running> {
  const child = startProcess(t, ['demo', '--port', '0', ...args], { TMPDIR: folder, ...measured })
  await child.line(/Swagger UI/)
  return child
}

t.test('demo prints keys, the address of Swagger UI and four curl lines that work in their order', async t => {
  const folder = t.testdir()
  const child = await startDemo(t, folder)
  const text = child.stdout()
  const keys = [...text.matchAll(/key (lgk_\S+)/g)].map(match => match[1] ?? '')
  t.equal(keys.length, 2)
  t.ok(keys.every(key => parseKey(key) !== null))

  const replies: Reply[] = []
  for (const line of text.match(curlLine) ?? []) replies.push(await paste(line))
  t.strictSame(
    replies.map(reply => reply.statusCode),
    [201, 200, 200, 200]
  )
  const [started, active, list, stopped] = replies.map(reply => reply.json())
  t.match(started, { success: true, data: { status: 'INVOKED' } })
  t.match(active, { data: { id: started.data.id } })
  t.match(list, { success: true })
  t.ok(JSON.stringify(list).includes(started.data.id))
  t.match(stopped, { success: true })

  const docs = /Swagger UI: (\S+)/.exec(text)?.[1] ?? ''
  const page = await fetch(docs)
  t.equal(page.status, 200)
  t.match(await page.text(), /swagger-ui/)
  const script = await fetch(`${docs}/static/theme/livegate.js`)
  t.match(await script.text(), `"key":"${keys[0]}"`, 'the page authorizes by itself')
  t.equal(script.headers.get('cross-origin-resource-policy'), 'same-origin', "another site's page cannot read the key")
  const { paths } = JSON.parse(await (await fetch(`${docs}/json`)).text())
  const { parameters } = paths['/v2/meetings/{meeting_id}/livestreams'].post
  const [filled] = parameters.filter((parameter: object) => 'example' in parameter)
  t.match(filled, { name: 'meeting_id', example: started.data.meeting_id })

  t.equal(readdirSync(folder).length, 1)
  child.signal('SIGINT')
  const { code, stderr } = await child.ended
  t.strictSame({ code, stderr }, { code: 0, stderr: '' })
  t.strictSame(readdirSync(folder), [], 'nothing is kept')
})

t.test(
  'with --json it is one document; it can use a simulated vendor that runs already, and be called by a page',
  async t => {
    const folder = t.testdir()
    const origin = 'http://localhost:5173'
    const { url, org, key, ...simulator } = await createSimulator()
    t.teardown(() => simulator.close())
    const vendor = ['--vendor', url, '--org', org, '--key', key]
    const args = ['demo', '--port', '0', '--json', '--cors-origin', origin, ...vendor]
    const child = startProcess(t, args, { TMPDIR: folder, ...measured })
    const [line] = await child.line(/^.*\n/)
    const printed = JSON.parse(line)
    t.match(printed, { url: /^http:\/\/127\.0\.0\.1:\d+$/, docs: `${printed.url}/docs`, vendor: url })
    const [acme, globex] = printed.tenants
    t.match([acme, globex], [{ tenant: 'acme' }, { tenant: 'globex' }])
    const asAcme = client(printed.url, `Bearer ${acme.key}`)
    t.equal((await asAcme('POST', `/v2/meetings/${acme.meeting}/livestreams`)).statusCode, 201)
    t.equal((await asAcme('GET', `/v2/meetings/${globex.meeting}/active-livestream`)).statusCode, 404)
    const fromPage = await asAcme('GET', '/v2/livestreams', undefined, { origin })
    t.equal(fromPage.headers['access-control-allow-origin'], origin)
    t.equal(simulator.livestreams().length, 1)

    simulator.failNext({ status: 500 })
    t.equal((await asAcme('GET', `/v2/meetings/${acme.meeting}`)).statusCode, 502)

    const port = new URL(printed.url).port
    const second = await runProcess(t, ['demo', '--port', port, ...vendor], { TMPDIR: folder })
    t.equal(second.code, 1)
    t.equal(refused(second), `port ${port} is taken; --host and --port say where`)
    t.equal(readdirSync(folder).length, 1, 'a demo that could not start leaves nothing')

    child.signal('SIGTERM')
    t.match(await child.ended, { code: 0, stdout: line, stderr: /"msg":/ }, 'the log goes to standard error')
    t.equal(child.stdout(), line)
    t.strictSame(readdirSync(folder), [])
  }
)

t.test('a signal while the demo is still starting leaves nothing behind either', async t => {
  const folder = t.testdir()
  const child = startProcess(t, ['demo', '--port', '0'], { TMPDIR: folder })
  const [made] = await until(
    async () => readdirSync(folder),
    names => names.length > 0
  )
  t.match(made, /^livegate-demo-/)
  child.signal('SIGTERM')
  t.equal((await child.ended).code, 0)
  t.strictSame(readdirSync(folder), [])
})

t.test('a vendor that is not a simulated one on this machine is wrong usage', async t => {
  const given = ['--org', 'org', '--key', 'key']
  for (const args of [
    ['--vendor', 'https://api.dyte.io/v2', ...given],
    ['--vendor', 'http://192.0.2.1/v2', ...given],
    ['--vendor', 'https://127.0.0.1/v2', ...given],
    ['--vendor', 'nonsense', ...given],
    ['--vendor', 'http://127.0.0.1:4100/v2', '--org', 'org'],
    ['--vendor', 'http://127.0.0.1:4100/v2', '--key', 'key']
  ]) {
    const outcome = await runHere(['demo', ...args], {})
    t.equal(outcome.code, 2, args.join(' '))
    t.match(refused(outcome), /^--vendor must be an http address of this machine, with --org and --key/)
  }
})

t.test('a vendor that refuses is one line and exit code 1, and nothing is left behind', async t => {
  const folder = t.testdir()
  const { url, org, close } = await createSimulator()
  t.teardown(close)
  const outcome = await runProcess(t, ['demo', '--port', '0', '--vendor', url, '--org', org, '--key', 'another'], {
    TMPDIR: folder,
    ...measured
  })
  t.equal(outcome.code, 1)
  t.ok(refused(outcome).startsWith(`${url}: `), refused(outcome))
  t.strictSame(readdirSync(folder), [])
})
