import closeWithGrace from 'close-with-grace'
import { AuditKeyError } from '../audit/key-files.ts'
import { readConfig } from '../config.ts'
import { startGateway } from '../gateway.ts'
import { makeLogger } from '../logger.ts'
import { StoreError } from '../store/engine.ts'
import { UpstreamsRejected } from '../upstream/upstream-set.ts'
import { cannotListen } from './cannot-listen.ts'
import { CommandError, type Io } from './io.ts'

/** Runs the gateway until it is told to stop. A second signal, or the ceiling, ends it at once. */
export async function serve(io: Io): Promise<void> {
  const config = readConfig(io.env)
  const logger = makeLogger(config.logLevel)
  const started = leaveOnSignal()
  const gateway = await startGateway({ config, logger }).catch(error => {
    if (error instanceof StoreError) throw new CommandError(error.reason, { cause: error })
    if (error instanceof AuditKeyError) throw new CommandError(error.message, { cause: error })
    if (error instanceof UpstreamsRejected) throw new CommandError(error.message, { cause: error })
    throw cannotListen(error, 'HOST and PORT say where')
  })
  started()
  logger.info({ url: gateway.url, docs: config.docs === 'off' ? null : `${gateway.url}/docs` }, 'livegate listens')
  // Behind the start, which must not depend on a vendor.
  gateway.checkUpstreams()
  closeWithGrace({ delay: config.shutdownMs, logger }, async ({ signal, err }) => {
    if (err) logger.fatal({ err }, 'livegate ends: this must not happen')
    else logger.info({ signal }, 'livegate finishes what is under way')
    await gateway.close()
    logger.info('livegate has stopped')
  })
}

/**
 * Until the gateway serves there is nothing to finish: a signal ends the process at once, which the first process of a
 * container would otherwise ignore. Gives back what ends this.
 */
function leaveOnSignal(): () => void {
  const leave = (): never => process.exit(0)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, leave)
  return () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.off(signal, leave)
  }
}
