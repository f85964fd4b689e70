/** The part of a vendor's quota that this process may use, where replicas divide it among themselves. Figures are calls. */
export interface QuotaShare {
  /** As many may count at the same time now. It may be fewer than do. */
  calls(): number
  /** Calls of other replicas that may count, at most. */
  ofOthers(): number
  /** Whether calls of earlier processes are counted there, and not to be counted here. */
  hasThoseBefore(): boolean
  /** Asks for more. Null when there is nothing to wait for; else it ends with the answer, and never rejects. */
  more(): Promise<void> | null
  /** Takes part from now on. @param counted calls of this process that count now */
  begin(counted: () => number): Promise<void>
  /** Leaves the rest to the others. */
  close(): Promise<void>
}
