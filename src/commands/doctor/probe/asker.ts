import type { Secret } from '../../../domain/values/secret.ts'
import type { Heard, InspectorCall, VendorInspector } from '../../../upstream/transport/vendor-inspector.ts'
import type { Surroundings } from './surroundings.ts'

/** The questions end here, for a reason that is no fault of theirs or one that makes going on pointless. */
export class Ended extends Error {}

/** All questions together; what was started is stopped beyond it. */
const allWithinMs = 300_000

/** Asks while there is time and nobody interrupts. */
export class Asker {
  readonly #inspector: VendorInspector
  readonly #credential: Secret
  readonly #surroundings: Surroundings
  readonly #untilMs: number
  #interrupted = false

  constructor(inspector: VendorInspector, credential: Secret, surroundings: Surroundings) {
    this.#inspector = inspector
    this.#credential = credential
    this.#surroundings = surroundings
    this.#untilMs = surroundings.clock.monotonic() + allWithinMs
  }

  interrupt(): void {
    this.#interrupted = true
  }

  /** @throws Ended, Failure */
  async ask(question: InspectorCall, credential = this.#credential): Promise<Heard> {
    this.#goOn()
    return this.#inspector.ask(question, credential)
  }

  /** The same at any time: for what must be stopped. @throws Failure */
  async askAnyway(question: InspectorCall): Promise<Heard> {
    return this.#inspector.ask(question, this.#credential)
  }

  /** The vendor's quota is other people's too: between two looks there is a second. @throws Ended */
  async pause(): Promise<void> {
    this.#goOn()
    await this.#surroundings.sleep(1_000)
  }

  #goOn(): void {
    if (this.#interrupted) throw new Ended('interrupted')
    if (this.#surroundings.clock.monotonic() > this.#untilMs)
      throw new Ended(`not done within ${allWithinMs / 1_000} s`)
  }
}
