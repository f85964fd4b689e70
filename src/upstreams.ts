import type { FastifyBaseLogger } from 'fastify'
import type { Config } from './config.ts'
import type { Clock } from './domain/clock.ts'
import { openUpstream } from './upstream/open-upstream.ts'
import type { Upstream } from './upstream/provider.ts'
import { canRecord, readRecord, recordFile, spentBefore, UpstreamRecorder } from './upstream/record.ts'

export interface RecordedUpstreamOptions {
  config: Pick<Config, 'upstream' | 'deadlineMs' | 'auditKeys'>
  clock: Clock
  log: FastifyBaseLogger
  ca?: string | undefined
}

/** The configured vendor account, with what an earlier process has used of its quota, and with a record of its own. */
export async function openRecordedUpstream({ config, clock, log, ca }: RecordedUpstreamOptions): Promise<Upstream> {
  const { upstream: account, deadlineMs, auditKeys } = config
  const folder = auditKeys.dataDir
  const name = 'default'
  const file = recordFile(folder, name)
  const [record, isWritable] = await Promise.all([readRecord(file), canRecord(file)])
  let recorder: UpstreamRecorder | undefined
  const upstream = openUpstream({
    ...account,
    deadlineMs,
    clock,
    spentBefore: spentBefore(record, account.quota, clock.now(), isWritable),
    onSent: () => recorder?.noticed(),
    ...(ca !== undefined && { ca })
  })
  recorder = new UpstreamRecorder({ name, upstream, file, clock, log })
  await recorder.start()
  return {
    ...upstream,
    async close() {
      await upstream.close()
      await recorder?.close()
    }
  }
}
