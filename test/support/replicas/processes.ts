/** Replicas as processes of their own, for a test to kill, to stop for a while, and to start anew. */
import { dirname } from 'node:path'
import { openAuditKeys } from '../../../src/audit/keys/key-files.ts'
import { type Running, startNode } from '../cli.ts'
import { type Client, client } from '../client.ts'
import { databaseOf } from '../postgres/stores.ts'
import { programOf } from '../runner/built.ts'
import type { TestContext } from '../test-context.ts'
import { until } from '../until.ts'

/** A replica in a process of its own. */
export interface ReplicaProcess {
  readonly url: string
  readonly process: Running
}

/** The environment of replicas whose store a path stands for. */
export async function environmentOfReplicas(storeFile: string): Promise<Record<string, string>> {
  const { port, database } = await databaseOf(storeFile)
  return {
    DATABASE_URL: `postgres://livegate@127.0.0.1:${port}/${database}`,
    LIVEGATE_DATA_DIR: dirname(storeFile),
    LIVEGATE_REPLICAS: '8',
    PORT: '0'
  }
}

/** Makes the keys of the audit log that all of them share. */
export async function keysOfReplicas(storeFile: string): Promise<void> {
  await openAuditKeys({ dataDir: dirname(storeFile) }, { publicKey: null, fingerprintCheck: null })
}

/** Starts one, and waits until it is ready. */
export async function startReplica(
  t: TestContext,
  env: Record<string, string>,
  program: Parameters<typeof programOf>[0] = 'src/cli.ts'
): Promise<ReplicaProcess> {
  const args = program === 'src/cli.ts' ? ['serve'] : []
  const process = startNode(t, [programOf(program), ...args], env)
  const [, url = ''] = await process.line(/(?:"url":"|listens at )(http:\/\/[\d.:]+)/)
  await until(async () => (await client(url, null)('GET', '/readyz')).statusCode === 200)
  return { url, process }
}

/** Sends calls to the replicas in turn, as a load balancer does: one that takes no connection, or ends, is passed over. */
export function roundRobin(replicas: () => readonly ReplicaProcess[], authorization: string): Client {
  let turn = 0
  return async (method, path, body, headers) => {
    const all = replicas()
    for (let left = all.length; ; left--) {
      const replica = all[turn++ % all.length] as ReplicaProcess
      try {
        const reply = await client(replica.url, authorization)(method, path, body, headers)
        const isEnding = reply.statusCode === 503 && reply.headers.connection === 'close'
        if (!isEnding || left <= 1) return reply
      } catch (error) {
        if (!isRefused(error) || left <= 1) throw error
      }
    }
  }
}

/** Nothing listens there: the call was not sent. */
function isRefused(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  return (cause as NodeJS.ErrnoException | undefined)?.code === 'ECONNREFUSED'
}
