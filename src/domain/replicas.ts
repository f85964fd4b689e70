import { freeTurns, type MeetingTurns } from './meeting-turns.ts'

/** The gateways that serve one store together, as one of them knows them. A gateway on a file is the only one. */
export interface Replicas {
  /** True where no other gateway may serve the store. */
  readonly isOnly: boolean
  /** Turns in meetings. */
  readonly turns: MeetingTurns
  /** As of the last heartbeat. */
  standing(): Standing
  /**
   * Whether an operation of this owner is this replica's, and stays so for as long as a call to a vendor may take: others take it over
   * once they have heard no heartbeat for longer than that. Asked directly before a byte goes out that nobody waits for.
   * @param owner as its row has it; null where a store has one gateway
   */
  owns(owner: string | null): boolean
  /** Whether an operation of this owner was this replica's at the last heartbeat. */
  isMine(owner: string | null): boolean
  /** Whether this one does the work in the background now. It counts that by its own clock, from before the lease was asked for. */
  leads(): boolean
  /** Calls back whenever this one begins to lead. Gives back what ends it. */
  onLead(listener: () => void): () => void
  /** Calls back while it leads, after each heartbeat: work of others may be free. Gives back what ends it. */
  onBeat(listener: () => void): () => void
}

/** The place of a replica among all. */
export interface Standing {
  /** Names it in rows. One that was taken for dead, and comes back, has another id. */
  readonly id: string
  /** As many serve the store, this one included. One that has fallen silent counts until it is taken over from. */
  readonly liveReplicas: number
  /** Its place among them, from 0, in the order in which they came. */
  readonly ordinal: number
}

/** The only gateway of a store. */
export const onlyReplica: Replicas = {
  isOnly: true,
  turns: freeTurns,
  standing: () => ({ id: 'only', liveReplicas: 1, ordinal: 0 }),
  owns: () => true,
  isMine: () => true,
  leads: () => true,
  onLead: () => () => {},
  onBeat: () => () => {}
}
