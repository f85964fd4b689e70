import type { OrderedStopNow } from '../../store/tables/runs/ordered-stops.ts'
import type { StopOrder } from '../../store/tables/runs/stop-orders.ts'
import type { Io } from '../process/io.ts'

/** Shows how far an order is: in one line of a terminal, elsewhere in a line for each step. */
export class Progress {
  readonly #io: Pick<Io, 'progress' | 'err'>
  #shown = ''

  constructor(io: Pick<Io, 'progress' | 'err'>) {
    this.#io = io
  }

  show({ listedAtMs }: StopOrder, stops: readonly OrderedStopNow[]): void {
    const stopped = stops.filter(({ state }) => state === 'stopped').length
    const left = stops.filter(({ state }) => state === 'left').length
    const isLooking = listedAtMs === null && stops.length === 0
    const line = isLooking
      ? 'looking for what is live'
      : `${stopped} of ${stops.length} stopped${left === 0 ? '' : `, ${left} can't be`}`
    if (line === this.#shown) return
    this.#shown = line
    if (this.#io.progress === undefined) this.#io.err(line)
    else this.#io.progress(line)
  }

  /** The result comes in its place. */
  end(): void {
    this.#io.progress?.('')
  }
}
