import { ExportResultCode } from '@opentelemetry/core'
import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace'
import { Loop } from '../domain/values/clock.ts'

/** Bounds of what waits to be exported. */
const mostWaiting = 4_096
const batchSize = 512
const gatherForMs = 1_000

/**
 * Takes spans that have ended, and exports them behind everything else. It has room for so many, and one batch is under way at a time:
 * what finds no room, or is not taken by the collector, is lost and counted. (The batching of the library counts nothing that it loses.)
 */
export class SpanExport implements SpanProcessor {
  readonly #exporter: SpanExporter
  readonly #withinMs: number
  readonly #onTrouble: (error: unknown) => void
  readonly #loop: Loop
  #waiting: ReadableSpan[] = []
  #lost = 0
  #lacksRoom = false

  /**
   * @param withinMs longest time of an export, whatever the collector does
   * @param onTrouble hears that spans were lost, and why; of the same trouble once, until it is over
   */
  constructor(exporter: SpanExporter, withinMs: number, onTrouble: (error: unknown) => void) {
    this.#exporter = exporter
    this.#withinMs = withinMs
    this.#onTrouble = onTrouble
    this.#loop = new Loop({ round: () => this.#exportSome(), onTrouble })
  }

  /** Spans that were lost since the start. */
  get lost(): number {
    return this.#lost
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if (this.#waiting.length >= mostWaiting) {
      this.#lost += 1
      if (!this.#lacksRoom) this.#onTrouble(new Error('spans end faster than the collector takes them'))
      this.#lacksRoom = true
      return
    }
    this.#waiting.push(span)
    this.#loop.wake(this.#waiting.length % batchSize === 0 ? 0 : gatherForMs)
  }

  async forceFlush(): Promise<void> {
    while (this.#waiting.length > 0) await this.#exportSome().catch(() => {})
  }

  /** Exports what waits, and takes no more. */
  async shutdown(): Promise<void> {
    await this.#loop.close()
    await this.forceFlush()
    await this.#exporter.shutdown()
  }

  async #exportSome(): Promise<void> {
    const batch = this.#waiting.splice(0, batchSize)
    if (batch.length === 0) return
    try {
      await this.#export(batch)
    } catch (error) {
      this.#lost += batch.length
      throw error
    } finally {
      if (this.#waiting.length > 0) this.#loop.wake(gatherForMs)
      else this.#lacksRoom = false
    }
  }

  /** The library waits for ever while the collector sends one byte after the other. */
  #export(batch: ReadableSpan[]): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const tooLong = (): void => reject(new Error(`the collector did not take them within ${this.#withinMs} ms`))
    const timer = setTimeout(tooLong, this.#withinMs)
    this.#exporter.export(batch, ({ code, error }) => {
      if (code === ExportResultCode.SUCCESS) resolve()
      else reject(new Error(`the collector did not take them: ${reasonOf(error)}`))
    })
    return promise.finally(() => clearTimeout(timer))
  }
}

/** The reason without the collector's own words: its answer may be long, and may have our credential in it. */
function reasonOf(error: (Error & { code?: unknown }) | undefined): string {
  if (error === undefined) return 'it is not known why'
  const { code, message } = error
  if (typeof code === 'number') return `it answers with the status ${code}`
  return code === undefined ? message : `${code} ${message}`
}
