/** Changes as replicas tell each other of them, by the id of the meeting, or of the livestream that has none. */
export interface SharedChanges {
  /** Whether nobody can be asked now. */
  isAway(): boolean
  /** Tells the others that what they know of it is outdated. It is tried until it is done. */
  outdate(id: string): void
  /** Waits until they are told, but not for long. */
  told(id: string): Promise<void>
  /** Asks whether another one has changed it. Null when nobody can be asked. */
  hear(id: string): Promise<void> | null
  /** Calls back with what another one has changed. */
  onChange(listener: (id: string) => void): void
}
