import { AuditKeyError } from '../audit/key-files.ts'
import { readConfig } from '../config.ts'
import { startGateway } from '../gateway.ts'
import { openLogOutput } from '../log-output.ts'
import { makeLogger } from '../logger.ts'
import { StoreError } from '../store/engine.ts'
import { UpstreamsRejected } from '../upstream/upstream-set.ts'
import { cannotListen } from './cannot-listen.ts'
import { CommandError, type Io } from './io.ts'
import { beforeLeaving, endWith } from './shutdown.ts'

/** Runs the gateway until it is told to stop. A second signal, or the ceiling, ends it at once. */
export async function serve(io: Io): Promise<void> {
  const config = readConfig(io.env)
  const logOutput = openLogOutput(1)
  const logger = makeLogger(config.logLevel, logOutput)
  beforeLeaving(async withinMs => {
    await logOutput.flush(withinMs)
    if (logOutput.unwritten > 0) io.err(`livegate: ${logOutput.unwritten} log lines could not be written`)
  })
  const finish = (close: () => Promise<void>): void => {
    endWith({
      withinMs: config.shutdownMs,
      async close() {
        await close()
        logger.info('livegate has stopped')
      },
      onCause({ signal, err }) {
        if (signal === undefined) logger.fatal({ err }, 'livegate ends: this must not happen')
        else logger.info({ signal }, 'livegate finishes what is under way')
      },
      onTrouble: err => logger.error({ err }, 'livegate ends before all is finished')
    })
  }
  const gateway = await startGateway({ config, logger, logOutput, onListen: finish }).catch(error => {
    if (error instanceof StoreError) throw new CommandError(error.reason, { cause: error })
    if (error instanceof AuditKeyError) throw new CommandError(error.message, { cause: error })
    if (error instanceof UpstreamsRejected) throw new CommandError(error.message, { cause: error })
    throw cannotListen(error, 'HOST and PORT say where')
  })
  logger.info({ url: gateway.url, docs: config.docs === 'off' ? null : `${gateway.url}/docs` }, 'livegate listens')
  // Behind the start, which must not depend on a vendor.
  gateway.checkUpstreams()
}
