import { type Static, Type } from 'typebox'
import { type FailureClass, NoActiveSession, ParticipantNotFound } from '../../../domain/refusals/failures.ts'
import type { ActiveSession, Participant } from '../../../domain/session.ts'
import {
  Envelope,
  expectId,
  Figure,
  path,
  present,
  reader,
  readSuccess,
  saidIn,
  solid,
  Text
} from '../../contract/contract.ts'
import { figureOf, figures } from '../../contract/figures.ts'
import { isDefiniteRefusal, type Provider } from '../../provider.ts'
import type { Send, VendorCall } from '../../transport/call.ts'

const VendorSession = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 64 }),
  associated_id: Type.Optional(Text),
  meeting_display_name: Type.Optional(Text),
  type: Type.Optional(Text),
  status: Type.Optional(Text),
  live_participants: Figure,
  max_concurrent_participants: Figure,
  minutes_consumed: Figure,
  started_at: Type.Optional(Text),
  ended_at: Type.Optional(Text),
  created_at: Type.Optional(Text),
  updated_at: Type.Optional(Text)
})
const sessionAnswer = reader(
  Envelope(
    Type.Object({
      ...VendorSession.properties,
      associated_id: Type.String({ minLength: 1, maxLength: 64 }),
      breakout_rooms: Type.Optional(Type.Union([Type.Array(VendorSession), Type.Null()]))
    })
  )
)
const VendorParticipant = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 64 }),
  name: Type.Optional(Text),
  email: Type.Optional(Text),
  picture: Type.Optional(Text),
  created_at: Type.Optional(Text),
  updated_at: Type.Optional(Text)
})
const participantsAnswer = reader(Envelope(Type.Object({ participants: Type.Array(VendorParticipant) })))
const countAnswer = reader(
  Envelope(Type.Object({ kicked_participants_count: Figure, muted_participants_count: Figure }))
)

const pathOf = (meetingId: string): string => path`/meetings/${meetingId}/active-session`

/** Shows who is in a meeting now (contract#active-session). */
export async function findActiveSession(
  send: Send,
  meetingId: string,
  signal: AbortSignal
): Promise<ActiveSession | null> {
  const { status, body } = await send({ method: 'GET', path: pathOf(meetingId), signal }, [404])
  if (status === 404) return null
  const { data } = sessionAnswer(body)
  expectId('meeting', meetingId, data.associated_id)
  const { breakout_rooms: rooms } = data
  return {
    ...toSession(data),
    associated_id: meetingId,
    ...(rooms != null && { breakout_rooms: rooms.map(toSession) })
  }
}

/** Does what REST offers of stage management (contract#stage-operations), to some people. */
export async function changeSome(
  send: Send,
  ...[meetingId, action, whom, signal]: Parameters<Provider['onStage']>
): Promise<Participant[]> {
  const call = { method: 'POST', path: `${pathOf(meetingId)}/${action}`, body: whom, signal } as const
  const body = await change(send, meetingId, call, ParticipantNotFound)
  return readSuccess(() => participantsAnswer(body).data.participants.map(toParticipant))
}

/** The same to everybody. */
export async function changeAll(
  send: Send,
  ...[meetingId, action, wish, signal]: Parameters<Provider['onWholeStage']>
): Promise<number> {
  const call = { method: 'POST', path: `${pathOf(meetingId)}/${action}-all`, body: wish, signal } as const
  const body = await change(send, meetingId, call, NoActiveSession)
  return readSuccess(() => {
    const { kicked_participants_count: kicked, muted_participants_count: muted } = countAnswer(body).data
    const count = figureOf(action === 'kick' ? kicked : muted) ?? 0
    return Number.isInteger(count) ? count : 0
  })
}

/** @throws NotThere where nobody is there to do it to: the vendor says so by 404, or refuses it and shows nobody */
async function change(send: Send, meetingId: string, call: VendorCall, NotThere: FailureClass): Promise<unknown> {
  try {
    const answer = await send(call, [404])
    if (answer.status === 404) throw new NotThere(saidIn(answer))
    return answer.body
  } catch (error) {
    if (!isDefiniteRefusal(error) || !(await isEmpty(send, meetingId, call.signal))) throw error
    const { cause, upstreamStatus, upstreamReason } = error
    throw new NotThere({ cause, upstreamStatus, upstreamReason })
  }
}

/** False also when the vendor does not tell. */
async function isEmpty(send: Send, meetingId: string, signal: AbortSignal): Promise<boolean> {
  const session = await findActiveSession(send, meetingId, signal).catch(() => undefined)
  return session === null || session?.status === 'ENDED' || session?.live_participants === 0
}

/** Picks the fields that are named here. All others stay behind: `organization_id` is half of the vendor's credentials. */
function toSession(
  data: Static<typeof VendorSession>
): Omit<ActiveSession, 'associated_id'> & { associated_id?: string } {
  return {
    id: data.id,
    ...present(data, ['meeting_display_name', 'started_at', 'ended_at']),
    ...solid(data, ['associated_id', 'type', 'status', 'created_at', 'updated_at']),
    ...figures(data, ['live_participants', 'max_concurrent_participants', 'minutes_consumed'])
  }
}

function toParticipant(data: Static<typeof VendorParticipant>): Participant {
  return {
    id: data.id,
    ...present(data, ['name', 'email', 'picture']),
    ...solid(data, ['created_at', 'updated_at'])
  }
}
