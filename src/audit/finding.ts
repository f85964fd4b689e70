/** What is wrong with a log, with the first event that shows it. */
export interface Finding {
  seq: number | null
  why: string
  /** Set when nobody has signed it yet: a checkpoint that is just being written can make it good. */
  isUnsigned?: true
}
