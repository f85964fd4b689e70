import { readConfig } from '../config/config.ts'
import { startGateway } from '../gateway.ts'
import { levelSwitch } from '../log/level-switch.ts'
import { openLogOutput } from '../log/log-output.ts'
import { makeLogger } from '../log/logger.ts'
import { forTerminal } from '../log/terminal.ts'
import { UpstreamsRejected } from '../upstream/account/upstreams-rejected.ts'
import { cannotListen } from './process/cannot-listen.ts'
import { CommandError, type Io } from './process/io.ts'
import { beforeLeaving, endWith, onLogSignal } from './process/shutdown.ts'
import { commandWorker, inWords } from './process/with-store.ts'
import { readHash } from './store.ts'

export interface ServeOptions {
  acceptOlderStore?: string
}

/** Runs the gateway until it is told to stop. A second signal, or the ceiling, ends it at once. */
export async function serve(io: Io, { acceptOlderStore }: ServeOptions = {}): Promise<void> {
  const acceptOlder =
    acceptOlderStore === undefined ? undefined : { hash: readHash(acceptOlderStore), worker: commandWorker() }
  const config = readConfig(io.env)
  const logOutput = openLogOutput(1)
  const logger = makeLogger(config.logLevel, await forTerminal(logOutput, 1))
  onLogSignal(levelSwitch(logger))
  beforeLeaving(async withinMs => {
    await logOutput.flush(withinMs)
    if (logOutput.unwritten > 0) io.err(`livegate: ${logOutput.unwritten} log lines could not be written`)
  })
  const finish = (close: () => Promise<void>): void => {
    endWith({
      withinMs: config.shutdownMs,
      async close() {
        await close()
        logger.info({ event: 'gateway_stopped' }, 'livegate has stopped')
      },
      onCause({ signal, err }) {
        if (signal === undefined) logger.fatal({ event: 'gateway_crashed', err }, 'livegate ends: this must not happen')
        else logger.info({ event: 'gateway_stopping', signal }, 'livegate finishes what is under way')
      },
      onTrouble: err => logger.error({ event: 'gateway_cut_off', err }, 'livegate ends before all is finished')
    })
  }
  const start = () => startGateway({ config, logger, logOutput, acceptOlder, onListen: finish })
  const gateway = await inWords(start).catch(error => {
    if (error instanceof UpstreamsRejected) throw new CommandError(error.message, { cause: error })
    throw cannotListen(error, 'HOST and PORT say where')
  })
  const { url } = gateway
  // A browser has no address for a Unix socket.
  const docs = config.docs === 'off' || url.startsWith('unix:') ? null : `${url}/docs`
  logger.info({ event: 'gateway_listening', url, docs }, 'livegate listens')
  // The vendors are asked after the start, which must not depend on them.
  gateway.checkUpstreams()
}
