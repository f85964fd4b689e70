import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import type { Environment } from '../src/config/config.ts'
import { createSimulator } from '../src/simulator/simulator.ts'
import { measured, startNode } from './support/cli.ts'
import { gateway } from './support/gateway.ts'
import { programOf } from './support/runner/built.ts'
import { shortFolder } from './support/short-folder.ts'

const read = (file: string): string => readFileSync(file, 'utf8')

/** The exit code of the image's health check. */
async function check(env: Record<string, string>, ...args: string[]): Promise<number> {
  const child = spawn('bash', ['src/healthcheck.sh', ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: 'ignore'
  })
  const [code] = await once(child, 'exit')
  return code
}

async function server(t: Test, answer: (socket: Socket) => void): Promise<string> {
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket.on('error', () => {}))
    answer(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return String((server.address() as AddressInfo).port)
}

t.test('the health check of the image is well while the gateway answers, on whatever address it listens', async t => {
  const { port: PORT } = new URL((await gateway(t)).url)
  for (const HOST of ['127.0.0.1', '0.0.0.0', '::', 'localhost', '']) t.equal(await check({ HOST, PORT }), 0, HOST)
  t.equal(await check({ PORT }), 0)
  const HOST = `unix:${shortFolder(t)}/livegate.sock`
  t.equal(await check({ HOST }), 1)
  await gateway(t, { config: { host: HOST } })
  t.equal(await check({ HOST }), 0)
  t.equal(await check({ HOST }, '/nothing'), 1)
  t.equal(await check({ PORT }, '/nothing'), 1)
  const simulator = await createSimulator()
  t.teardown(() => simulator.close())
  t.equal(await check({ PORT: new URL(simulator.url).port }, '/_simulator/health'), 0)
})

t.test('the health check is ill when somebody else answers, nobody, or somebody who says nothing', async t => {
  const answers: ((socket: Socket) => void)[] = [
    socket => socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n'),
    socket => socket.end('HTTP/1.1 2000 Odd\r\n\r\n'),
    socket => socket.end('220 mail.invalid ESMTP\r\n'),
    socket => socket.end(),
    socket => void socket.destroy(),
    () => {}
  ]
  const codes = answers.map(async answer => check({ PORT: await server(t, answer) }))
  t.strictSame(
    await Promise.all(codes),
    answers.map(() => 1)
  )
  t.equal(await check({ HOST: '127.77.0.1', PORT: await server(t, () => {}) }), 1)
  t.equal(await check({ PORT: 'nonsense' }), 1)
})

t.test('neither image nor compose start a Node to look after one, and both have limits', async t => {
  const image = read('Dockerfile')
  t.equal(image.split('HEALTHCHECK').length, 2, 'the last of several would count')
  const [, command] = /^HEALTHCHECK .* CMD (\[.*\])$/m.exec(image) ?? []
  t.strictSame(JSON.parse(command ?? ''), ['bash', '/app/healthcheck.sh'])
  const [, entry] = /^ENTRYPOINT (\[.*\])$/m.exec(image) ?? []
  t.strictSame(JSON.parse(entry ?? ''), ['tini', '-s', '--', 'livegate'])
  t.match(image, 'ln -s /app/livegate /usr/local/bin/livegate', 'which `docker exec` finds too')
  const flags = /^flags='(.*)'$/m.exec(read('src/livegate.sh'))?.[1]?.split(' ') ?? []
  t.strictSame(flags, [
    '--max-semi-space-size=4',
    '--max-old-space-size-percentage=40',
    '--heap-growing-percent=20',
    '--no-wasm-tier-up',
    '--no-wasm-dynamic-tiering'
  ])
  t.equal(spawnSync(process.execPath, [...flags, '--eval', '']).status, 0, 'which this Node knows')
  const compose = read('docker-compose.yml')
  const tests = [...compose.matchAll(/^ +test: (\[.*\])$/gm)].map(([, test = '']) => JSON.parse(test))
  t.strictSame(tests, [['CMD', 'env', 'PORT=4100', 'bash', '/app/healthcheck.sh', '/_simulator/health']])
  const services = compose.split(/^ {2}(?=\w+:$)/m).slice(1)
  t.equal(services.length, 2)
  for (const service of services) {
    t.match(service, /^ {4}restart: unless-stopped$/m)
    t.match(service, /^ {4}mem_limit: \d+m$/m)
  }
  const [, gatewayLimit] = /mem_limit: (\d+)m/.exec(services[1] ?? '') ?? []
  for (const file of ['docs/operating.md', 'docs/container.md'])
    t.match(read(file), `--memory ${gatewayLimit}m --restart unless-stopped`, file)
})

t.test('the image is built from the sources that a build is made of, and tells its version', async t => {
  const image = read('Dockerfile')
  const { version } = JSON.parse(read('package.json'))
  t.match(image, `org.opencontainers.image.version=${version} org.opencontainers.image.revision=$REVISION`)
  const copied = [...image.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, files = '']) => files.split(' '))
  t.strictSame(
    copied.sort(),
    read('.dockerignore')
      .trim()
      .split('\n')
      .filter(line => line !== '*')
      .map(line => line.slice(1))
      .sort()
  )
})

t.test('any uid of group 0 may write to the data folder of the image, and the user is given by number', async t => {
  const image = read('Dockerfile')
  t.match(image, /^RUN mkdir \/data && chown node:0 \/data && chmod 770 \/data$/m)
  t.match(image, /^USER 1000:0$/m)
  t.ok(image.indexOf('chmod 770') < image.indexOf('VOLUME /data'), 'what comes after it is lost')
})

t.test('a command is the one that the kernel ends when memory runs out, and a gateway is not', async t => {
  const tell = 'process.on("exit", () => console.log(fs.readFileSync("/proc/self/oom_score_adj", "utf8")))'
  const first = `data:text/javascript,${encodeURIComponent(`import fs from 'node:fs'; ${tell}`)}`
  const scoreOf = async (program: string, args: string[], env: Environment = {}) => {
    const { stdout } = await startNode(t, ['--import', first, program, ...args], { ...env, PORT: 'x' }).ended
    return /^-?\d+$/m.exec(stdout)?.[0]
  }
  const own = read('/proc/self/oom_score_adj').trim()
  const program = programOf('src/cli.ts')
  // The lines of a command alone: those of a gateway are measured elsewhere (`commands/serve`).
  const scores = [
    scoreOf('src/cli.ts', ['tenant', 'list'], measured),
    scoreOf(program, ['serve']),
    scoreOf(program, [])
  ]
  t.strictSame(await Promise.all(scores), ['1000', own, '1000'])
})
