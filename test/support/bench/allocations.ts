import type { HeapProfiler } from 'node:inspector'
import { Session } from 'node:inspector/promises'

/** One sample for so many bytes: some thousand requests give thousands of them. */
const samplingInterval = 16 * 1024

/** How many bytes this thread has allocated on V8's heap while the work was done, also what is gone again: by samples, within a few percent. */
export async function allocatedBytes(work: () => Promise<unknown>): Promise<number> {
  const session = new Session()
  session.connect()
  const collected = { includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true }
  await session.post('HeapProfiler.startSampling', { samplingInterval, ...collected })
  await work()
  const { profile } = await session.post('HeapProfiler.stopSampling')
  session.disconnect()
  return bytesOf(profile.head)
}

function bytesOf({ selfSize, children }: HeapProfiler.SamplingHeapProfileNode): number {
  return children.reduce((sum, child) => sum + bytesOf(child), selfSize)
}
