import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { until } from '../cli.ts'
import { client } from '../client.ts'
import type { TestContext } from '../test-context.ts'
import { image } from './image.ts'

const run = promisify(execFile)

/** Runs the Docker client, which finds the engine of this run in its environment. Gives what it prints. @throws when it fails */
export async function docker(...args: string[]): Promise<string> {
  const { stdout, stderr } = await run('docker', args, { maxBuffer: 64 * 1024 * 1024 })
  return args[0] === 'logs' ? stdout + stderr : stdout.trim()
}

/** The way that docs/container.md runs it, in less memory. The health check asks sooner than every 30 s, and nothing else differs. */
export const hardened = [
  ...['--read-only', '--tmpfs', '/tmp', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
  ...['--memory', '256m', '--memory-swap', '256m', '--pids-limit', '100', '--health-interval', '1s']
]

export interface Container {
  id: string
  /** Runs a command in it, as `docker exec … livegate …` does. */
  livegate(...args: string[]): Promise<string>
  /** The part of its state that the template names: `.State.ExitCode`. */
  state(template: string): Promise<string>
  logs(): Promise<string>
}

/** A container of the image that the test removes at its end, with its volumes. It uses the network of this machine: say where it listens. */
export async function container(t: TestContext, options: string[], command: string[] = []): Promise<Container> {
  const id = await docker(
    'run',
    '-d',
    '--pull',
    'never',
    '--network',
    'host',
    ...hardened,
    ...options,
    image,
    ...command
  )
  t.teardown(() => docker('rm', '-f', '-v', id))
  return {
    id,
    livegate: (...args) => docker('exec', id, 'livegate', ...args),
    state: template => docker('inspect', '-f', `{{${template}}}`, id),
    logs: () => docker('logs', id)
  }
}

/** An address of this machine that nothing else uses, so that each container has all ports of its own. */
export function ownAddress(): string {
  addresses++
  return `127.${100 + addresses}.${(process.pid >> 8) & 255}.${process.pid & 255}`
}
let addresses = 0

/** A volume that is removed at the end of the test. */
export async function volume(t: TestContext): Promise<string> {
  const name = await docker('volume', 'create')
  t.teardown(() => docker('volume', 'rm', '-f', name))
  return name
}

/** A simulated vendor in a container of its own, and a gateway that asks it, with a tenant. */
export async function world(t: TestContext, options: string[] = []) {
  const host = ownAddress()
  await container(t, [], ['simulate', '--host', host, '--port', '4100', '--org', 'org', '--key', 'vendor-key'])
  const vendor = `http://${host}:4100`
  const settings = { HOST: host, DYTE_BASE_URL: `${vendor}/v2`, DYTE_ORG_ID: 'org', DYTE_API_KEY: 'vendor-key' }
  const env = Object.entries(settings).flatMap(([name, value]) => ['-e', `${name}=${value}`])
  const place = options.includes('-v') ? [] : ['-v', `${await volume(t)}:/data`]
  const gateway = await container(t, [...place, ...env, ...options])
  const url = `http://${host}:3000`
  await ready(url, gateway)
  await gateway.livegate('tenant', 'create', 'acme')
  const key = await gateway.livegate('key', 'create', 'acme', '--preset', 'owner')
  const asVendor = client(vendor, `Basic ${Buffer.from('org:vendor-key').toString('base64')}`)
  const meeting = (await asVendor('POST', '/v2/meetings', { title: 'a show' })).json().data.id as string
  await gateway.livegate('meeting', 'assign', 'acme', meeting)
  const asAcme = client(url, `Bearer ${key}`)
  const known = async (): Promise<number> => {
    await sleep(1_000) // so that few calls fail for a key that is not known yet
    return (await asAcme('GET', `/v2/meetings/${meeting}`)).statusCode
  }
  // A gateway hears within 5 s of what a command has changed.
  const status = await until(known, code => code === 200)
  if (status !== 200) throw new Error(`${status} for a meeting of its tenant: ${await gateway.logs()}`)
  return {
    gateway,
    url,
    key,
    meeting,
    asAcme,
    /** More meetings of the tenant. */
    async meetings(count: number): Promise<string[]> {
      const ids: string[] = []
      for (let i = 0; i < count; i++)
        ids.push((await asAcme('POST', '/v2/meetings', { title: 'a show' })).json().data.id)
      return ids
    },
    /** Has the vendor do the next changes, and answer so much later. */
    async answerLater(delayMs: number, times: number): Promise<void> {
      const { statusCode } = await asVendor('POST', '/_simulator/faults', {
        ...{ match: { method: 'POST' }, afterWork: true, delayMs, times }
      })
      if (statusCode !== 201) throw new Error(`${statusCode} for a fault`)
    },
    /** The calls of changes that the vendor has taken. */
    async changes(): Promise<{ target: string }[]> {
      const journal: { method: string; target: string }[] = (await asVendor('GET', '/_simulator/journal')).json().data
      return journal.filter(({ method }) => method === 'POST')
    }
  }
}

/** Waits until the gateway serves. @throws with its log when it does not */
export async function ready(url: string, gateway: Container): Promise<void> {
  const asked = async () =>
    (await fetch(`${url}/readyz`).catch(() => null))?.status ?? (await gateway.state('.State.Status'))
  const status = await until(asked, answer => answer === 200 || answer === 'exited', 120_000)
  if (status !== 200) throw new Error(`${status}: ${await gateway.logs()}`)
}
