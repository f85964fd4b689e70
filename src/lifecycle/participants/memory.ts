import type { Fingerprint } from '../../audit/keys/key-files.ts'
import {
  type CustomFingerprint,
  customFingerprint,
  type RememberParticipants,
  type RememberParticipantsDeps,
  rememberParticipants
} from './remember-participants.ts'
import { type ParticipantSearch, participantSearch, type SearchDeps } from './search.ts'

export type ParticipantMemoryDeps = Omit<RememberParticipantsDeps, 'fingerprintOf'> &
  Omit<SearchDeps, 'fingerprintOf' | 'rememberParticipants'> & { fingerprint: Fingerprint }

/** Participants as they are known, and the way to find others. */
export interface ParticipantMemory {
  fingerprintOf: CustomFingerprint
  rememberParticipants: RememberParticipants
  participantSearch: ParticipantSearch
}

export function participantMemory(deps: ParticipantMemoryDeps): ParticipantMemory {
  const known = { ...deps, fingerprintOf: customFingerprint(deps.fingerprint) }
  const remember = rememberParticipants(known)
  return {
    fingerprintOf: known.fingerprintOf,
    rememberParticipants: remember,
    participantSearch: participantSearch({ ...known, rememberParticipants: remember })
  }
}
