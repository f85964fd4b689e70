import { existsSync, readdirSync } from 'node:fs'
import { getHeapStatistics } from 'node:v8'
import type { Show } from './series.ts'

const startedAtSeconds = Date.now() / 1_000 - process.uptime()

/** Shows the memory, threads and files of this process. */
export function showProcess(show: Show): void {
  const { heap_size_limit, used_heap_size } = getHeapStatistics()
  show('livegate_heap_used_bytes', used_heap_size)
  show('livegate_heap_limit_bytes', heap_size_limit)
  show('livegate_threads', entriesOf('/proc/self/task'))
  show('process_resident_memory_bytes', process.memoryUsage.rss())
  show('process_open_fds', entriesOf('/proc/self/fd'))
  show('process_start_time_seconds', startedAtSeconds)
}

export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** 0 where the system does not tell. */
function entriesOf(folder: string): number {
  return existsSync(folder) ? readdirSync(folder).length : 0
}

const timerMs = 100

/** Tells how late a timer comes, ten times a second. @returns a function that ends it */
export function watchEventLoop(observe: (lateMs: number) => void): () => void {
  let dueAtMs = performance.now() + timerMs
  const timer = setInterval(() => {
    const nowMs = performance.now()
    observe(Math.max(0, nowMs - dueAtMs))
    dueAtMs = nowMs + timerMs
  }, timerMs)
  timer.unref()
  return () => clearInterval(timer)
}
