import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openStream } from '../../support/events.ts'
import { gateway } from '../../support/gateway.ts'
import { ownPlace } from '../../support/listen.ts'
import { commitEvents } from '../../support/push/events.ts'
import { until } from '../../support/until.ts'

const program = '/usr/sbin/nginx'
const skip = existsSync(program) ? false : 'no nginx on this machine'

/** A real nginx before the gateway, with nothing set but where it listens, where it sends calls, and where its files are. */
async function nginx(t: Test, url: string): Promise<string> {
  const { host, port } = ownPlace()
  const kept = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${name};`).join(' ')
  const server = `server { listen ${host}:${port}; location / { proxy_pass ${url}; } }`
  const conf = `daemon off; pid nginx.pid; error_log stderr; events {} http { access_log off; ${kept} ${server} }`
  const folder = t.testdir({ 'nginx.conf': conf })
  const child = spawn(program, ['-p', folder, '-e', 'stderr', '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' })
  t.teardown(async () => {
    child.kill('SIGTERM')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
  const through = `http://${host}:${port}`
  await until(async () => (await fetch(`${through}/livez`).catch(() => null))?.status === 200)
  return through
}

t.test('through an nginx with its default settings each event comes at once', { skip }, async t => {
  const { url, store, withKey, meeting } = await gateway(t)
  const { key } = await withKey('acme', ['livestreams:read'])
  const stream = await openStream(t, await nginx(t, url), key)
  t.equal(stream.statusCode, 200)
  // Each is a few hundred bytes, and nginx would keep them for a page of 4 kB.
  for (let i = 1; i <= 3; i++) {
    await commitEvents(store, 1, { id: `r${i}`, meetingId: meeting, livestreamId: `l${i}` })
    t.equal((await stream.first(i)).length, i)
  }
})
