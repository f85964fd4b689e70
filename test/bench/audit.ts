/**
 * The cost of the audit log: `npm run -s bench:audit`, or some parts of it: `npm run -s bench:audit -- verify slow-disk`.
 * Figures depend on the machine and on what else it does; the bars are for two cores that have nothing else to do.
 */
import { randomUUID } from 'node:crypto'
import { statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { toAuditEvent } from '../../src/audit/ocsf.ts'
import { type AuditedStore, openAudited } from '../../src/audited-store/audited-store.ts'
import type { AuditEvent } from '../../src/domain/audit/audit-event.ts'
import { systemClock } from '../../src/domain/values/clock.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { grouped, loop, milliseconds, percentile, perSecond, report } from '../support/bench/figures.ts'
import { scene } from '../support/bench/scene.ts'
import { slowFsync } from '../support/bench/slow-fsync.ts'
import { runHere, startProcess } from '../support/cli.ts'
import { environmentOf, plenty } from '../support/config.ts'
import { client, gateway, type World } from '../support/gateway.ts'
import { memory } from '../support/in-memory.ts'

/** An event as a start writes it. */
function eventOf(requestId: string): AuditEvent {
  const subject = {
    action: 'startLivestream',
    method: 'POST',
    tenantId: 'acme',
    keyId: 'abcdefghijkl',
    keyFingerprint: '0'.repeat(32),
    address: '127.0.0.1',
    requestId,
    resources: [{ type: 'meeting' as const, uid: requestId }]
  }
  return toAuditEvent(subject, { outcome: 'done', status: 201, durationMs: 12 }, Date.now())
}

/** A store with the threads, keys and checkpoints of a gateway. */
async function openLog(folder: string): Promise<{ store: Store; audited: AuditedStore; close(): Promise<void> }> {
  const store = await openStore(join(folder, 'livegate.db'))
  const onTrouble = (error: unknown): void => console.error(error)
  const audited = await openAudited({ store, places: { dataDir: folder }, clock: systemClock, onTrouble })
  await audited.checkpointer.start()
  const close = async (): Promise<void> => {
    await audited.checkpointer.close()
    await store.close()
  }
  return { store, audited, close }
}

/** `audit verify` on a log of 100,000 events: the whole command, but for starting Node. */
async function verify(): Promise<void> {
  const events = 100_000
  await scene(async ({ folder }) => {
    const { store, audited, close } = await openLog(folder)
    const group = 500
    for (let written = 0; written < events; written += group) {
      await store.engine.write(Array.from({ length: group }, () => audited.events.append(eventOf(randomUUID()))))
    }
    await close()
    const file = join(folder, 'livegate.db')
    report('an audit event as JSON', `${JSON.stringify(eventOf(randomUUID())).length} bytes`)
    report('an audit event on disk, with chain and indexes', `${grouped(statSync(file).size / events)} bytes`)
    const startedAtMs = performance.now()
    const { code, stderr } = await runHere(['audit', 'verify'], { DATABASE_URL: `sqlite:${file}` })
    const rate = perSecond(events, performance.now() - startedAtMs)
    if (code !== 0) throw new Error(stderr)
    report('audit verify, 100,000 events', `${grouped(rate)}/s`, { is: '50,000/s', reached: rate >= 50_000 })
  })
}

/** Events that are durable one by one, each in a transaction of its own, as mutations write them. */
async function append(): Promise<void> {
  for (const [where, root] of Object.entries({ disk: tmpdir(), memory })) {
    if (root === null) continue
    await scene(async ({ folder }) => {
      const { store, audited, close } = await openLog(folder)
      const one = () => store.engine.write([audited.events.append(eventOf(randomUUID()))])
      await loop(64, 1_000, one)
      for (const writers of [1, 64]) {
        const took = await loop(writers, 3_000, one)
        const rate = perSecond(took.length, 3_000)
        const [p50, p99] = [50, 99].map(percent => milliseconds(percentile(took, percent)))
        const counts = writers === 64 && where === 'disk'
        report(
          `append, ${writers} at once, ${where}: p50 ${p50}, p99 ${p99}`,
          `${grouped(rate)}/s`,
          counts ? { is: '20,000/s', reached: rate >= 20_000 } : undefined
        )
      }
      await close()
    }, root)
  }
}

/** The same mutation through two whole gateways, in turn: one has its store on the disk, the other in memory, where nothing is waited for. */
async function mutation(): Promise<void> {
  if (memory === null) return console.log('mutation: SKIPPED, there is no /dev/shm for a store in memory')
  const config = { writeLimit: plenty, readLimit: plenty }
  await scene(onDisk =>
    scene(async inMemory => {
      const worlds = [
        await gateway(onDisk, { config, threads: true }),
        await gateway(inMemory, { config, threads: true })
      ] as const
      const took = worlds.map((): number[] => [])
      const create = async ({ asAcme }: World): Promise<number> => {
        const startedAtMs = performance.now()
        const { statusCode } = await asAcme('POST', '/v2/meetings', { title: 'bench' })
        if (statusCode !== 201) throw new Error(`told ${statusCode}`)
        return performance.now() - startedAtMs
      }
      await loop(1, 3_000, i => create(worlds[i % 2 === 0 ? 0 : 1]))
      await loop(1, 10_000, async i => took[i % 2]?.push(await create(worlds[i % 2 === 0 ? 0 : 1])))
      const [disk = [], ram = []] = took
      for (const [name, values] of Object.entries({ 'on disk': disk, 'in memory': ram })) {
        const [p50, p99] = [50, 99].map(percent => milliseconds(percentile(values, percent)))
        report(`a mutation, store ${name}: p99 ${p99}, p50`, p50 ?? '')
      }
      const more = percentile(disk, 50) - percentile(ram, 50)
      report('a mutation: what the disk adds to p50', milliseconds(more), { is: '2 ms', reached: more <= 2 })
    }, memory ?? undefined)
  )
}

/** Reads of a gateway whose every fsync takes 200 ms, while others write. */
async function slowDisk(): Promise<void> {
  const fsyncMs = 200
  const asItIs = 'as it is'
  await scene(async context => {
    const slow = slowFsync(context.folder, fsyncMs)
    if (slow === null) return console.log('slow disk: SKIPPED, there is no gcc to make fsync slow with')
    // A gateway in this process fills the store; then the slow one takes over, in a process of its own.
    const { simulator, meeting, storeFile, withKey, asAcme, close } = await gateway(context, { threads: true })
    const { key } = await withKey('acme', ['livestreams:start', 'livestreams:read', 'meetings:read', 'meetings:write'])
    await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
    await close()
    for (const [name, env] of Object.entries({ [asItIs]: {}, [`every fsync takes ${fsyncMs} ms`]: slow })) {
      const process = startProcess(context, ['serve'], {
        DATABASE_URL: `sqlite:${storeFile}`,
        ...environmentOf(simulator),
        PORT: '0',
        LIVEGATE_AUDIT_READS: 'all',
        LIVEGATE_READ_LIMIT: '1000000/60',
        LIVEGATE_WRITE_LIMIT: '1000000/60',
        ...env
      })
      const [, url = ''] = await process.line(/"url":"([^"]+)".*"msg":"livegate listens"/)
      const ask = client(url, `Bearer ${key}`)
      const paths = [`meetings/${meeting}/active-livestream`, `meetings/${meeting}`, 'meetings', 'livestreams']
      const read = async (i: number): Promise<void> => {
        const { statusCode } = await ask('GET', `/v2/${paths[i % paths.length]}`)
        if (statusCode !== 200) throw new Error(`told ${statusCode}`)
      }
      await loop(4, 1_000, read)
      let refused = 0
      const write = async (): Promise<void> => {
        if ((await ask('POST', '/v2/meetings', { title: 'bench' })).statusCode !== 201) refused += 1
      }
      const [reads, writes] = await Promise.all([loop(4, 6_000, read), loop(2, 6_000, write)])
      const [p99, slowly] = [percentile(reads, 99), name !== asItIs]
      report(`mutations, ${name}: ${refused} refused, p50`, milliseconds(percentile(writes, 50)))
      report(
        `reads, ${name}: p50 ${milliseconds(percentile(reads, 50))}, p99`,
        milliseconds(p99),
        slowly ? { is: '50 ms', reached: p99 <= 50 } : undefined
      )
      process.signal('SIGTERM')
      await process.ended
    }
  })
}

const parts: Record<string, () => Promise<void>> = { verify, append, mutation, 'slow-disk': slowDisk }
const asked = process.argv.slice(2)
for (const [name, part] of Object.entries(parts)) if (asked.length === 0 || asked.includes(name)) await part()
