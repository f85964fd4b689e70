/** Loaded into a server that is to tell how it is: answers what the bench asks over the process channel. */
import { Session } from 'node:inspector/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { type Profile, sampleUs } from './sampling.ts'

export interface Health {
  heapBytes: number
  rssBytes: number
  resources: Record<string, number>
  loopDelayP99Ms: number
}
export type Question = 'health' | 'start profile' | 'end profile'

const delay = monitorEventLoopDelay({ resolution: 5 })
delay.enable()
const session = new Session()

/** After two collections: what is still there is held. */
function health(): Health {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, rss } = process.memoryUsage()
  const resources: Record<string, number> = {}
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1
  const loopDelayP99Ms = delay.percentile(99) / 1e6
  delay.reset()
  return { heapBytes: heapUsed, rssBytes: rss, resources, loopDelayP99Ms }
}

async function startProfile(): Promise<string> {
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: sampleUs })
  await session.post('Profiler.start')
  return 'started'
}

async function endProfile(): Promise<Profile> {
  const { profile } = await session.post('Profiler.stop')
  session.disconnect()
  return profile
}

const answers = { health, 'start profile': startProfile, 'end profile': endProfile }
process.on('message', async (question: Question) => process.send?.(await answers[question]()))
process.channel?.unref()
