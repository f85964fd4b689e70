/** The compose file as it is. Only its network is another one: this engine has none to publish a port of. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { until } from '../support/cli.ts'
import { docker } from '../support/container/docker.ts'
import { isInPath } from '../support/container/engine.ts'

const program = isInPath('docker-compose') ? ['docker-compose'] : ['docker', 'compose']
const isHere = spawnSync('/bin/sh', ['-c', `${program.join(' ')} version`]).status === 0
const skip = isHere ? false : 'no Docker Compose on this machine: `apt-get install docker-compose`'

/** Runs Compose, and gives what it prints. @throws with its words when it fails */
function compose(...args: string[]): string {
  const [command = '', ...rest] = [...program, ...args]
  const { status, stdout, stderr } = spawnSync(command, rest, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${args.join(' ')}: ${stdout}${stderr}`)
  return stdout
}

t.test('Docker Compose takes the file, and publishes one port on loopback alone', { skip }, async t => {
  const config = compose('-f', 'docker-compose.yml', 'config')
  t.match(config, /image: livegate/)
  t.match(config, /ports:\n *- (127\.0\.0\.1:3000:3000|mode: ingress\n *host_ip: 127\.0\.0\.1\n)/)
})

t.test('`docker compose up` is the demo, in which a start, a look and a stop work', { skip }, async t => {
  const folder = t.testdir({ 'network.json': JSON.stringify({ services: { simulator: { network_mode: 'none' } } }) })
  const files = ['-p', `livegate-${process.pid}`, '-f', 'docker-compose.yml', '-f', join(folder, 'network.json')]
  t.teardown(() => compose(...files, 'down', '-v'))
  compose(...files, 'up', '-d', '--no-build')
  const id = compose(...files, 'ps', '-q', 'gateway').trim()
  const log = await until(
    () => docker('logs', id),
    text => text.includes('Swagger UI: ')
  )
  const [, key, meeting] = /^ +acme +key (lgk_\S+)\n +meeting (\S+)$/m.exec(log) ?? []
  t.ok(meeting, log)
  // From inside, since nobody else shares that network.
  const call = async (method: string, path: string): Promise<number> => {
    const ask = `fetch('http://127.0.0.1:3000/v2/meetings/${meeting}/${path}', { method: '${method}', headers: { authorization: 'Bearer ${key}' } })`
    return Number(await docker('exec', id, 'node', '-e', `${ask}.then(({ status }) => console.log(status))`))
  }
  t.equal(await call('POST', 'livestreams'), 201)
  t.equal(await call('GET', 'active-livestream'), 200)
  t.equal(await call('POST', 'active-livestream/stop'), 200)
  compose(...files, 'stop')
  t.equal(await docker('inspect', '-f', '{{.State.ExitCode}} {{.State.OOMKilled}}', id), '0 false')
})
