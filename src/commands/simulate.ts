import { createSimulator, type SimulatorOptions } from '../simulator/simulator.ts'
import { cannotListen } from './cannot-listen.ts'
import { type Io, type JsonOption, print, UsageError } from './io.ts'
import { onSignal } from './on-signal.ts'

/** The switches of the simulator as they come from the command line. */
export interface SimulateOptions extends JsonOption {
  host?: string
  port: string
  org?: string
  key?: string
  contract?: string
  liveAfter?: string
  startWhileLive?: string
  activeDuringInvoked?: string
  stopWithNothingLive?: string
  livestreamId?: string
  lists?: string
  quota?: string
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
  const { url, org, key, origin } = simulator
  print(
    io,
    options,
    { url, org, key, control: `${origin}/_simulator` },
    [`the simulated vendor listens: ${url}`, `DYTE_BASE_URL=${url}`, `DYTE_ORG_ID=${org}`, `DYTE_API_KEY=${key}`].join(
      '\n'
    )
  )
  onSignal(io, () => simulator.close())
}

function readOptions(options: SimulateOptions): SimulatorOptions {
  const {
    host,
    org,
    key,
    contract,
    startWhileLive,
    activeDuringInvoked,
    stopWithNothingLive,
    livestreamId,
    lists,
    quota
  } = options
  const words = {
    host,
    org,
    key,
    contract,
    startWhileLive,
    activeDuringInvoked,
    stopWithNothingLive,
    livestreamId,
    lists,
    quota
  }
  const given = Object.fromEntries(Object.entries(words).filter(([, value]) => value !== undefined))
  return {
    ...(given as SimulatorOptions), // each word is checked by the simulator itself, which names what is wrong
    port: wholeNumber('--port', options.port),
    ...(options.liveAfter !== undefined && { liveAfterMs: wholeNumber('--live-after', options.liveAfter) })
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
