/**
 * How much memory the processes of a container take for themselves: `npm run -s bench:memory`. The gateway as it starts and under load, a
 * proof of the audit log and other commands beside it, and the image's health check, each a process of its own. Linux only.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { Pool } from 'undici'
import { toAuditEvent } from '../../src/audit/ocsf.ts'
import { openAudited } from '../../src/audited-store/audited-store.ts'
import { systemClock } from '../../src/domain/values/clock.ts'
import { openStoreHere } from '../../src/store/store.ts'
import { grouped, loop, report } from '../support/bench/figures.ts'
import { scene } from '../support/bench/scene.ts'
import { image, megabytes, ownBytes, servedOn } from '../support/bench/served.ts'

const events = 100_000
const inOneWrite = 1_000
const atOnce = 200
const loadMs = 10_000

const here = image()

await scene(async context => {
  const storeFile = join(context.folder, 'livegate.db')
  const env = { DATABASE_URL: `sqlite:${storeFile}` }
  await fill(storeFile)
  const { url, key, meeting, pid } = await servedOn(context, env)
  console.log(`memory of its own (RssAnon) of each process; the audit log has ${grouped(events)} events`)
  report('gateway, as it starts', megabytes(ownBytes(pid)))

  const pool = new Pool(url, { connections: atOnce })
  const headers = { authorization: `Bearer ${key}` }
  const paths = ['/v2/livestreams', `/v2/meetings/${meeting}/active-livestream`, '/openapi.json']
  await loop(atOnce, loadMs, async i => {
    const { body } = await pool.request({ method: 'GET', path: paths[i % paths.length] ?? '', headers })
    await body.dump()
  })
  report(`gateway, after ${atOnce} connections at once`, megabytes(ownBytes(pid)))
  for (const args of [['audit', 'verify'], ['tenant', 'list'], ['key', 'list'], ['doctor'], ['healthcheck']]) {
    const command = spawnQuietly(process.execPath, [...here.args, ...args], { ...env, PORT: new URL(url).port })
    report(`\`${args.join(' ')}\` beside it`, megabytes(await highestBytes(command)))
  }
  const health = spawnQuietly('bash', ['src/healthcheck.sh'], { PORT: new URL(url).port })
  report('health check of the image', megabytes(await highestBytes(health)))
  await pool.close()
})

async function fill(storeFile: string): Promise<void> {
  const store = await openStoreHere(storeFile)
  const places = { dataDir: dirname(storeFile) }
  const audited = await openAudited({ store, places, clock: systemClock, onTrouble: error => console.error(error) })
  const event = () => {
    const call = { action: 'startLivestream', method: 'POST', tenantId: 'acme', keyId: 'k', address: '192.0.2.1' }
    const resources = [{ type: 'meeting' as const, uid: randomUUID() }]
    return toAuditEvent({ ...call, resources, requestId: randomUUID() }, { outcome: 'done' }, Date.now())
  }
  for (let i = 0; i < events; i += inOneWrite) {
    await store.engine.write(Array.from({ length: inOneWrite }, () => audited.events.append(event())))
  }
  await audited.checkpointer.sign()
  await audited.checkpointer.close()
  await store.close()
}

function spawnQuietly(command: string, args: string[], env: object): ChildProcess {
  return spawn(command, args, { env: { PATH: process.env.PATH, ...here.env, ...env }, stdio: 'ignore' })
}

/** The most that was seen until it ended, looking every few milliseconds. */
async function highestBytes(child: ChildProcess): Promise<number> {
  let highest = 0
  const timer = setInterval(() => {
    highest = Math.max(highest, ownBytes(child.pid ?? Number.NaN))
  }, 2)
  await once(child, 'exit')
  clearInterval(timer)
  return highest
}
