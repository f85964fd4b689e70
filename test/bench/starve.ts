/**
 * How much longer a polite tenant waits while another one floods: `npm run -s bench:starve`. Vendor, gateway, flood and the polite
 * tenant are processes of their own; quiet and flooded moments alternate, so that what else the machine does hits both alike.
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { milliseconds, percentile, report } from '../support/bench/figures.ts'
import { scene } from '../support/bench/scene.ts'
import { runHere, startNode, startProcess } from '../support/cli.ts'
import { client } from '../support/gateway.ts'

/** Fifty times the default read limit of 600 a minute. */
const floodPerSecond = 500
const vendorMs = 12
const blocks = 40
const readsInABlock = 100

const flooding = `
  import { connect } from 'node:net'
  const { hostname, port } = new URL(process.env.URL)
  const call = 'GET /v2/livestreams HTTP/1.1\\r\\nhost: x\\r\\nauthorization: Bearer ' + process.env.KEY + '\\r\\n\\r\\n'
  const socket = connect(port, hostname, () => {
    setInterval(() => socket.write(call), ${1_000 / floodPerSecond})
    socket.once('data', () => console.log('floods')).resume()
  })
`

await scene(async context => {
  const { folder } = context
  const meetings = [randomUUID(), randomUUID()]
  const vendor = startProcess(context, [
    'simulate',
    '--port',
    '0',
    '--json',
    ...meetings.flatMap(id => ['--meeting', id])
  ])
  const { url: vendorUrl, org, key: vendorKey, control } = JSON.parse((await vendor.line(/^.*\n/))[0])
  const slow = { method: 'POST', headers: { 'content-type': 'application/json' } }
  await fetch(`${control}/faults`, { ...slow, body: JSON.stringify({ delayMs: vendorMs, times: 10_000 }) })

  const env = { DATABASE_URL: `sqlite:${join(folder, 'livegate.db')}` }
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await runHere([...args, '--json'], env)
    if (code !== 0) throw new Error(stderr)
    return JSON.parse(stdout)
  }
  await run('tenant', 'create', 'flood')
  await run('tenant', 'create', 'polite', '--read-limit', '1000000/60')
  await run('meeting', 'assign', 'polite', meetings[0] ?? '')
  const { key } = await run('key', 'create', 'flood', '--preset', 'viewer')
  const { key: politeKey } = await run('key', 'create', 'polite', '--preset', 'viewer')

  const gateway = startProcess(context, ['serve'], {
    ...env,
    PORT: '0',
    DYTE_BASE_URL: vendorUrl,
    DYTE_ORG_ID: org,
    DYTE_API_KEY: vendorKey,
    LIVEGATE_UPSTREAM_BUDGET: '1000000/60',
    LIVEGATE_READ_TTL_MS: '0'
  })
  const [, url = ''] = await gateway.line(/"url":"([^"]+)".*"msg":"livegate listens"/)
  const flood = startNode(context, ['--input-type=module', '-e', flooding], { URL: url, KEY: key })
  await flood.line(/floods/)

  const ask = client(url, `Bearer ${politeKey}`)
  const path = `/v2/meetings/${meetings[0]}`
  const times: Record<'quiet' | 'flooded', number[]> = { quiet: [], flooded: [] }
  const statuses = new Set<number>()
  for (let block = 0; block < blocks; block++) {
    const name = block % 2 === 0 ? 'flooded' : 'quiet'
    flood.signal(name === 'flooded' ? 'SIGCONT' : 'SIGSTOP')
    for (let i = 0; i < readsInABlock; i++) {
      const startedAtMs = performance.now()
      statuses.add((await ask('GET', path)).statusCode)
      // The first of a block may still be of the one before.
      if (i >= 5) times[name].push(performance.now() - startedAtMs)
    }
  }
  report('answers of the polite tenant', [...statuses].join(', '), { reached: !statuses.has(429), is: 'no 429' })
  for (const percent of [50, 90, 99]) {
    const [quiet, flooded] = [percentile(times.quiet, percent), percentile(times.flooded, percent)]
    const ratio = flooded / quiet
    const bar = percent === 99 ? { reached: ratio <= 1.2, is: 'at most 1.2 times' } : undefined
    report(`p${percent}: quiet ${milliseconds(quiet)}, flooded ${milliseconds(flooded)}`, ratio.toFixed(2), bar)
  }
})
