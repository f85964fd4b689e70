/** A PostgreSQL server of the tests' own, in memory where there is such a place: it ends with this process, however that ends. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { chownSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Client } from 'pg'
import type { PostgresHome } from '../../../src/domain/store-home.ts'
import { freePort } from '../free-port.ts'
import { memory } from '../in-memory.ts'

/** The folder with the programs of a server: as it is given, or Debian's newest; null where there is none. */
export const postgresBin: string | null =
  process.env.LIVEGATE_TEST_POSTGRES_BIN ??
  globSync('/usr/lib/postgresql/*/bin')
    .filter(folder => existsSync(join(folder, 'postgres')))
    .sort((a, b) => Number(a.split('/')[4]) - Number(b.split('/')[4]))
    .at(-1) ??
  null

export const noPostgres = 'this machine has no PostgreSQL (LIVEGATE_TEST_POSTGRES_BIN, or the package postgresql)'

export interface PostgresServer {
  readonly port: number
  readonly folder: string
  /** Address of a database there. */
  home(database: string): PostgresHome
  /** Runs statements as its owner. */
  run(database: string, ...statements: string[]): Promise<void>
  /** The process that all others of it come from. */
  pid(): number
  /** Makes a file that only the server may read. */
  own(name: string, text: string): string
  /** Starts it again after its end. */
  start(): Promise<void>
  /** Ends it as with `kill -9`, with all of its processes. */
  kill(): Promise<void>
}

/** The server refuses to run as root. */
const isRoot = process.getuid?.() === 0
const owner = isRoot ? { uid: idOf('-u'), gid: idOf('-g') } : {}

function idOf(flag: '-u' | '-g'): number {
  const { status, stdout } = spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' })
  return status === 0 ? Number(stdout) : 65_534
}

/** @param settings such as `fsync=on`; by default nothing is durable, and all is quick */
export async function startPostgres(...settings: string[]): Promise<PostgresServer> {
  return serve(makeFolder(), makeCluster, settings)
}

/** A server that follows another one, until it is promoted. */
export async function startStandby(primary: PostgresServer): Promise<PostgresServer & { promote(): Promise<void> }> {
  const copy = (data: string): void => {
    const from = [
      '-h',
      '127.0.0.1',
      '-p',
      String(primary.port),
      '-U',
      'livegate',
      '--no-sync',
      '--checkpoint=fast',
      '-R'
    ]
    execFileSync(join(postgresBin as string, 'pg_basebackup'), ['-D', data, ...from], { ...owner, stdio: 'pipe' })
  }
  const standby = await serve(makeFolder(), copy, [])
  return { ...standby, promote: () => standby.run('postgres', 'select pg_promote()') }
}

function makeFolder(): string {
  const folder = mkdtempSync(join(memory ?? tmpdir(), 'livegate-postgres-'))
  if (isRoot) chownSync(folder, owner.uid as number, owner.gid as number)
  return folder
}

function makeCluster(data: string): void {
  const how = ['-U', 'livegate', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync', '--no-instructions']
  execFileSync(join(postgresBin as string, 'initdb'), ['-D', data, ...how], {
    ...owner,
    cwd: dirname(data),
    stdio: 'pipe'
  })
}

async function serve(folder: string, make: (data: string) => void, settings: string[]): Promise<PostgresServer> {
  const data = join(folder, 'data')
  make(data)
  const port = await freePort()
  const all = [
    'fsync=off',
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_connections=200',
    'shared_buffers=32MB',
    ...settings
  ]
  let child: ChildProcess | undefined

  const server: PostgresServer = {
    port,
    folder,
    home: database => ({
      kind: 'postgres',
      host: '127.0.0.1',
      port,
      database,
      user: 'livegate',
      password: null,
      tls: null
    }),
    async run(database, ...statements) {
      const client = new Client({ host: '127.0.0.1', port, database, user: 'livegate' })
      await client.connect()
      try {
        for (const statement of statements) await client.query(statement)
      } finally {
        await client.end()
      }
    },
    pid: () => Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]),
    own(name, text) {
      const file = join(folder, name)
      writeFileSync(file, text, { mode: 0o600 })
      if (isRoot) chownSync(file, owner.uid as number, owner.gid as number)
      return file
    },
    async start() {
      const options = all.flatMap(setting => ['-c', setting])
      // Where it was killed, nobody is left who would have removed it.
      rmSync(join(data, 'postmaster.pid'), { force: true })
      // The shell ends the server and removes its folder as soon as this process is gone: then nothing holds its input any more.
      const script = `"$@" & server=$!; cat >/dev/null; kill -QUIT $server 2>/dev/null; wait $server; rm -rf "${folder}"`
      const args = [
        '-c',
        script,
        'sh',
        join(postgresBin as string, 'postgres'),
        '-D',
        data,
        '-p',
        String(port),
        ...options
      ]
      // On its own, so that a signal to all of a run does not end the shell before it has removed the folder.
      child = spawn('sh', args, { ...owner, cwd: folder, stdio: ['pipe', 'ignore', 'ignore'], detached: true })
      child.unref()
      ;(child.stdin as unknown as { unref(): void }).unref()
      await untilReady(server)
    },
    async kill() {
      const pid = server.pid()
      const of = spawnSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' }).stdout
      for (const one of [pid, ...of.split('\n').filter(Boolean).map(Number)]) {
        try {
          process.kill(one, 'SIGKILL')
        } catch {
          // It has ended meanwhile.
        }
      }
    }
  }
  await server.start()
  return server
}

async function untilReady(server: PostgresServer): Promise<void> {
  for (let left = 200; ; left--) {
    try {
      return await server.run('postgres', 'select 1')
    } catch (error) {
      if (left === 0) throw error
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
}
