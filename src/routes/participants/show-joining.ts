import type { FastifyReply } from 'fastify'
import type { Joining, MeetingParticipant } from '../../domain/participant.ts'

/** The participant with the token, in an answer that no cache keeps. */
export function showJoining(
  reply: FastifyReply,
  { participant, token }: Joining
): { success: true; data: MeetingParticipant & { token: string } } {
  reply.header('cache-control', 'no-store')
  return { success: true, data: { ...participant, token: token.reveal() } }
}

/** For the descriptions of operations whose answers have a token. */
export const tokenDescription =
  'The token is in this answer alone: it is kept nowhere, and a replay tells only that it was issued. A preset that the tenant may not give is a 403 `preset_not_allowed`.'
