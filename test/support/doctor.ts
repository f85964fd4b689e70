import { doctor } from '../../src/commands/doctor/doctor.ts'
import type { Surroundings } from '../../src/commands/doctor/probe/surroundings.ts'
import { main } from '../../src/commands/process/main.ts'
import type { Environment } from '../../src/config/config.ts'
import type { Outcome } from './cli.ts'
import { snapshotAtHome } from './store.ts'

export interface FastWorld extends Surroundings {
  /** Called at each pause, with its number: for what shall happen in the middle. */
  atPause(act: (number: number) => void): void
  pauses(): number
  interrupt(): void
}

/** A world in which a pause takes no time, but moves the clock. @param tickMs so far it moves as well whenever somebody looks at it */
export function fastWorld(tickMs = 0): FastWorld {
  const startedAtMs = Date.now()
  let passedMs = 0
  let pauses = 0
  let act = (_number: number): void => {}
  let interrupt = (): void => {}
  return {
    clock: { now: () => startedAtMs + passedMs, monotonic: () => (passedMs += tickMs) },
    async sleep(ms) {
      passedMs += ms
      pauses++
      act(pauses)
    },
    onInterrupt(callback) {
      interrupt = callback
      return () => {
        interrupt = () => {}
      }
    },
    atPause(wanted) {
      act = wanted
    },
    pauses: () => pauses,
    interrupt: () => interrupt()
  }
}

/** `livegate doctor` in such a world. */
export async function doctorIn(world: Surroundings, env: Environment, options: object): Promise<Outcome> {
  let stdout = ''
  let stderr = ''
  const io = {
    env,
    out(text: string) {
      stdout += `${text}\n`
    },
    err(text: string) {
      stderr += `${text}\n`
    },
    write: () => Promise.reject(new Error('not written')),
    openStore: () => Promise.reject(new Error('not opened: nothing may be changed')),
    openSnapshot: snapshotAtHome
  }
  const code = await main(cli => cli.action(() => doctor(io, options, world)), [], io)
  return { code, stdout, stderr }
}
