import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { runHere, startNode, startProcess } from '../cli.ts'
import { inProduction } from './livegate.ts'
import type { Scene } from './scene.ts'

/** As in the image, in a container of 384 MB: a part of this machine's memory would be more. */
export function image() {
  const { program, nodeArgs, env } = inProduction()
  const heap = `--max-old-space-size=${Math.round(384 * 0.4)}`
  const flags = nodeArgs.map(flag => (flag.startsWith('--max-old-space-size-percentage') ? heap : flag))
  return { args: [...flags, program], env }
}

/** A gateway as in the image, in a process of its own, before a simulated vendor in another one, with a key and a meeting of a tenant. */
export async function servedOn(context: Scene, env: { DATABASE_URL: string; [name: string]: string }) {
  const meeting = randomUUID()
  const vendor = startProcess(context, ['simulate', '--port', '0', '--json', '--meeting', meeting])
  const { url: vendorUrl, org, key: vendorKey } = JSON.parse((await vendor.line(/^.*\n/))[0])
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await runHere([...args, '--json'], env)
    if (code !== 0) throw new Error(stderr)
    return JSON.parse(stdout)
  }
  await run('tenant', 'create', 'acme', '--read-limit', '1000000/60')
  await run('meeting', 'assign', 'acme', meeting)
  const { key } = await run('key', 'create', 'acme', '--preset', 'owner')
  const here = image()
  const account = { DYTE_BASE_URL: vendorUrl, DYTE_ORG_ID: org, DYTE_API_KEY: vendorKey }
  const settings = {
    ...env,
    ...account,
    ...here.env,
    PORT: '0',
    LOG_LEVEL: 'info',
    LIVEGATE_UPSTREAM_BUDGET: '1000000/60'
  }
  const gateway = startNode(context, [...here.args, 'serve'], settings)
  const [, url = ''] = await gateway.line(/"url":"([^"]+)".*"msg":"livegate listens"/)
  return { url, vendorUrl: String(vendorUrl), key: String(key), meeting, pid: gateway.pid }
}

/** Memory of its own (RssAnon); 0 for a process that has ended. Linux only. */
export function ownBytes(pid: number): number {
  try {
    const [, kilobytes] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return Number(kilobytes ?? 0) * 1_024
  } catch {
    return 0
  }
}

export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MB`
}
