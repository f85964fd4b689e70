/** A fault of a log, with the first event that shows it. */
export interface LogFault {
  seq: number | null
  why: string
  /** Set when events are only unsigned yet: a checkpoint that is being written right now can mend that. */
  isUnsigned?: true
}
