import { createSimulator, type SimulatorOptions } from '../simulator/simulator.ts'
import { cannotListen } from './process/cannot-listen.ts'
import { type Io, type JsonOption, print, UsageError } from './process/io.ts'
import { endWith } from './process/shutdown.ts'
import { environmentOf } from './process/simulated-account.ts'

/** The switches of the simulator as they come from the command line. */
export interface SimulateOptions extends JsonOption {
  host?: string
  port: string
  vendor?: string
  org?: string
  key?: string
  account?: string
  app?: string
  token?: string
  badToken?: string
  dropped?: string
  contract?: string
  liveAfter?: string
  startWhileLive?: string
  activeDuringInvoked?: string
  stopWithNothingLive?: string
  stopRefusal?: string
  nothingLive?: string
  activeShowsEnded?: boolean
  stoppingFor?: string
  restartAfter?: string
  restartRefusal?: string
  validation?: string
  livestreamName?: string
  livestreamId?: string
  lists?: string
  participantPut?: string
  quota?: string
  webhookTimes?: string
  webhookDelay?: string
  webhookOrder?: string
  webhookRepeatId?: string
  webhookHeaders?: string
  meeting?: string[]
}

/** Runs the stand-in for the vendor until it is told to stop. */
export async function simulate(io: Io, options: SimulateOptions): Promise<void> {
  const simulator = await createSimulator(readOptions(options)).catch(error => {
    throw wrongOption(error) ?? cannotListen(error, '--host and --port say where')
  })
  try {
    for (const id of options.meeting ?? []) simulator.addMeeting({ id })
  } catch (error) {
    await simulator.close()
    throw error instanceof Error ? new UsageError(error.message.replace('meeting: "id"', '--meeting')) : error
  }
  const { url, origin, credentials } = simulator
  const lines = Object.entries(environmentOf(simulator)).map(([name, value]) => `${name}=${value}`)
  const text = [`the simulated vendor listens: ${url}`, ...lines].join('\n')
  // A signal may come as soon as somebody has read that it listens.
  endWith({ close: () => simulator.close(), withinMs: 10_000 })
  print(io, options, { url, ...credentials, control: `${origin}/_simulator` }, text)
}

function readOptions({ port, meeting: _meeting, json: _json, ...given }: SimulateOptions): SimulatorOptions {
  const { liveAfter, stoppingFor, restartAfter, webhookTimes, webhookDelay, ...words } = given
  return {
    ...(words as SimulatorOptions), // each word is checked by the simulator itself, which names what is wrong
    port: wholeNumber('--port', port),
    ...(liveAfter !== undefined && { liveAfterMs: wholeNumber('--live-after', liveAfter) }),
    ...(stoppingFor !== undefined && { stoppingForMs: wholeNumber('--stopping-for', stoppingFor) }),
    ...(restartAfter !== undefined && { restartAfterMs: wholeNumber('--restart-after', restartAfter) }),
    ...(webhookTimes !== undefined && { webhookTimes: wholeNumber('--webhook-times', webhookTimes) }),
    ...(webhookDelay !== undefined && { webhookDelayMs: wholeNumber('--webhook-delay', webhookDelay) })
  }
}

/** The simulator names what is wrong as code does (`startWhileLive`); here it is called as it was typed. */
function wrongOption(error: unknown): UsageError | null {
  if (!(error instanceof TypeError || error instanceof RangeError)) return null
  const typed = (name: string): string =>
    `--${name.replace(/Ms$/, '').replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`
  return new UsageError(error.message.replace(/^simulator options: "(\w+)"/, (_, name) => typed(name)))
}

function wholeNumber(option: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`${option} must be a whole number`)
  return Number(text)
}
