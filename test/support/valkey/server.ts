/** A Valkey server of the tests' own, in memory alone: it ends with this process, however that ends. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { Redis } from 'iovalkey'
import type { ValkeyHome } from '../../../src/domain/valkey-home.ts'
import { freePort } from '../free-port.ts'
import { memory } from '../in-memory.ts'
import type { TestContext } from '../test-context.ts'
import { until } from '../until.ts'

/** The program: Valkey's own, or Redis 7 as Debian has it; null where there is neither. */
export const valkeyProgram: string | null =
  ['valkey-server', 'redis-server'].find(name => spawnSync(name, ['--version']).status === 0) ?? null

export const noValkey = 'this machine has no Valkey (valkey-server, or redis-server of the package redis-server)'

/** The address of a server of this machine. */
export function homeOf(port: number): ValkeyHome {
  const nodes = [{ host: '127.0.0.1', port }]
  return { kind: 'server', nodes, primary: '', user: null, password: null, database: 0, isTls: false }
}

export interface ValkeyServer {
  readonly port: number
  readonly home: ValkeyHome
  /** A way to ask it beside the gateways. */
  readonly client: Redis
  /** Ends it as with `kill -9`: all that it knew is lost. */
  kill(): Promise<void>
  /** Starts it again after its end, empty. */
  start(): Promise<void>
  /** It takes calls and answers none. */
  freeze(): void
  thaw(): void
}

/** Starts one for a test, on a free port. @param settings such as `--requirepass` and its value */
export async function startValkey(t: TestContext, ...settings: string[]): Promise<ValkeyServer> {
  return serve(t, await freePort(), settings)
}

/** The same as a cluster of one node. */
export async function startCluster(t: TestContext): Promise<ValkeyServer> {
  const node = await startValkey(t, '--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1')
  await node.client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
  await until(async () => String(await node.client.call('CLUSTER', 'INFO')).includes('cluster_state:ok'))
  return node
}

/** A Sentinel that knows a primary as `live`. */
export async function startSentinel(t: TestContext, primary: ValkeyServer): Promise<ValkeyServer> {
  const port = await freePort()
  const file = join(t.testdir(), `sentinel-${port}.conf`)
  writeFileSync(file, `sentinel monitor live 127.0.0.1 ${primary.port} 1\n`)
  return serve(t, port, ['--sentinel'], [file])
}

async function serve(t: TestContext, port: number, settings: string[], first: string[] = []): Promise<ValkeyServer> {
  const folder = join(memory ?? tmpdir(), `livegate-valkey-${port}`)
  const password = settings[settings.indexOf('--requirepass') + 1]
  const client = new Redis({
    port,
    host: '127.0.0.1',
    retryStrategy: () => 20,
    ...(password !== undefined && { password })
  })
  client.on('error', () => {}) // it is killed on purpose
  let child: ChildProcess | undefined
  let pid = 0
  const signal = (name: NodeJS.Signals): void => void process.kill(pid, name)
  const kill = async (): Promise<void> => {
    signal('SIGKILL')
    await until(() => client.status !== 'ready')
  }
  const start = async (): Promise<void> => {
    const options = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder]
    // The shell ends the server and removes its folder as soon as this process is gone: then nothing holds its input any more.
    const script = `"$@" >/dev/null & echo $!; cat >/dev/null; kill -KILL $! 2>/dev/null; rm -rf "${folder}"`
    const args = ['-c', script, 'sh', valkeyProgram as string, ...first, ...options.map(String), ...settings]
    child?.stdin?.end()
    await until(() => !existsSync(folder))
    mkdirSync(folder)
    child = spawn('sh', args, { stdio: ['pipe', 'pipe', 'ignore'], detached: true })
    const [line] = await once(child.stdout as Readable, 'data')
    pid = Number(line)
    for (const part of [child, child.stdin, child.stdout] as { unref?(): void }[]) part.unref?.()
    await until(async () => (await client.ping().catch(() => '')) === 'PONG')
  }
  await start()
  t.teardown(() => {
    client.disconnect()
    child?.stdin?.end()
  })
  return {
    port,
    home: homeOf(port),
    client,
    kill,
    start,
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT')
  }
}
