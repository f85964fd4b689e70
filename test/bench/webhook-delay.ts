/**
 * How soon a reader of the stream of events knows what a webhook told of: `npm run -s bench:webhook`. Counted from the moment at which the
 * vendor begins to send the webhook, less the vendor's own answer to the look that the webhook leads to. The gateway is a process of its own.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { median, milliseconds, report } from '../support/bench/figures.ts'
import { scene } from '../support/bench/scene.ts'
import { runHere, startProcess } from '../support/cli.ts'
import { until } from '../support/until.ts'

const rounds = 31
const barMs = 250

await scene(async context => {
  const simulator = await createSimulator({ liveAfterMs: 0 })
  context.teardown(() => simulator.close())
  const env = { DATABASE_URL: `sqlite:${join(context.folder, 'livegate.db')}` }
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await runHere([...args, '--json'], env)
    if (code !== 0) throw new Error(stderr)
    return JSON.parse(stdout)
  }
  const { id: meeting } = simulator.addMeeting({ title: 'Friday show' })
  await run('tenant', 'create', 'acme')
  await run('meeting', 'assign', 'acme', meeting)
  const { key } = await run('key', 'create', 'acme', '--preset', 'owner')
  const gateway = startProcess(context, ['serve'], {
    ...env,
    DYTE_BASE_URL: simulator.url,
    DYTE_ORG_ID: simulator.org,
    DYTE_API_KEY: simulator.key,
    PORT: '0',
    LIVEGATE_RECONCILE_MS: '0'
  })
  const [, url = ''] = await gateway.line(/"url":"([^"]+)".*"msg":"livegate listens"/)
  const { hostname, port } = new URL(url)
  const events = ['livestreaming.statusUpdate', 'meeting.started', 'meeting.ended']
  simulator.webhooks.register({ name: 'livegate', url: `${url}/webhooks/default`, events })

  const heardAtMs: number[] = []
  const reader = connect(Number(port), hostname)
  context.teardown(() => reader.destroy())
  await once(reader, 'connect')
  reader.write(`GET /gateway/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`)
  await once(reader, 'data')
  let ends = 0
  reader.on('data', (chunk: Buffer) => {
    if (chunk.includes('event: livestream.live')) heardAtMs.push(Date.now())
    if (chunk.includes('event: livestream.ended')) ends++
  })

  const delaysMs: number[] = []
  for (let round = 0; round < rounds; round++) {
    const begunAtMs = Date.now()
    const { id } = simulator.startFromBrowser(meeting)
    await until(() => heardAtMs.length > round)
    delaysMs.push((heardAtMs[round] ?? 0) - begunAtMs)
    simulator.end(id)
    await until(() => ends > round)
  }
  const middle = median(delaysMs)
  report('from a change at the vendor to its event, by a webhook', milliseconds(middle), {
    reached: middle <= barMs,
    is: milliseconds(barMs)
  })
})
