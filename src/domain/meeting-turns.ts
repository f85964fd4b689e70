/** Turns of replicas in a meeting: the vendor sees no two of their starts and stops cross. */
export interface MeetingTurns {
  /**
   * Waits until no other replica has a turn in this meeting. Null when another one has it still, and was waited for as long as that: it may be
   * another time behind a start than behind a stop. @throws what the store throws
   */
  take(place: string, kind: TurnKind, waitMs: Readonly<Record<TurnKind, number>>): Promise<MeetingTurn | null>
}

export type TurnKind = 'start' | 'stop'

/** A turn that this replica has. It ends by itself where that dies. */
export interface MeetingTurn {
  /** Whether it lasts for so long from now on: by its own clock, from before it was asked for. */
  lastsFor(ms: number): boolean
  end(): void
}

/** Turns where no other gateway serves the store. */
export const freeTurns: MeetingTurns = { take: async () => ({ lastsFor: () => true, end() {} }) }
