import { isVendorId } from '../../../domain/id.ts'
import type {
  Joining,
  MeetingParticipant,
  NewParticipant,
  ParticipantChange,
  RemovedParticipant,
  ReplacedParticipant
} from '../../../domain/participant.ts'
import type { Preset, PresetRights } from '../../../domain/preset.ts'
import { MeetingNotFound, NotOffered, ParticipantNotFound } from '../../../domain/refusals/failures.ts'
import type { Page } from '../../../domain/values/paging.ts'
import type { Secret } from '../../../domain/values/secret.ts'
import { expectId, expectPlainId, path, readSuccess, saidIn } from '../../contract/contract.ts'
import {
  type PageOf,
  readJoining,
  readParticipant,
  readParticipants,
  readPresets,
  readRemoved,
  readRights,
  readToken
} from '../../contract/contract-participants.ts'
import { pageOf } from '../../contract/figures.ts'
import type { Send } from '../../transport/call.ts'

const pathOf = (meetingId: string): string => path`/meetings/${meetingId}/participants`
const onPage = ({ pageNo, perPage }: Page): string => `?page_no=${pageNo}&per_page=${perPage}`

/** Lists who may join a meeting (contract#participants). A meeting without anybody may be a 404, as an empty list of webhooks is. */
export async function findParticipants(
  send: Send,
  meetingId: string,
  page: Page,
  signal: AbortSignal
): Promise<PageOf<MeetingParticipant>> {
  const { status, body } = await send({ method: 'GET', path: pathOf(meetingId) + onPage(page), signal }, [404])
  if (status === 404) return { items: [], paging: pageOf([]) }
  const { items, paging } = readParticipants(body)
  return { items: items.filter(({ id }) => isVendorId(id)).slice(0, page.perPage), paging }
}

export async function findParticipant(
  send: Send,
  meetingId: string,
  id: string,
  signal: AbortSignal
): Promise<MeetingParticipant | null> {
  const { status, body } = await send({ method: 'GET', path: pathOf(meetingId) + path`/${id}`, signal }, [404])
  if (status === 404) return null
  const participant = readParticipant(body)
  expectId('participant', id, participant.id)
  return { ...participant, id }
}

/** Lists the presets of the account (contract#presets). */
export async function findPresets(send: Send, page: Page, signal: AbortSignal): Promise<PageOf<Preset>> {
  const { body } = await send({ method: 'GET', path: path`/presets` + onPage(page), signal })
  return readPresets(body)
}

/** Null when the account has no such preset. */
export async function findPreset(send: Send, id: string, signal: AbortSignal): Promise<PresetRights | null> {
  const { status, body } = await send({ method: 'GET', path: path`/presets/${id}`, signal }, [404])
  return status === 404 ? null : readRights(id, body)
}

/** Sent twice it makes two (contract#participant-tokens). */
export async function addParticipant(
  send: Send,
  meetingId: string,
  wish: NewParticipant,
  signal: AbortSignal
): Promise<Joining> {
  const answer = await send({ method: 'POST', path: pathOf(meetingId), body: wish, signal }, [404])
  if (answer.status === 404) throw new MeetingNotFound(saidIn(answer))
  return readSuccess(() => {
    const joining = readJoining(meetingId, answer.body)
    expectPlainId('participant', joining.participant.id)
    return joining
  })
}

export function updateParticipant(send: Send, ...[meetingId, id, change, signal]: Changing<ParticipantChange>) {
  return changed(send, 'PATCH', meetingId, id, change, signal)
}

/** Few contracts have it, and the others are expected to say so as they say that an id is unknown (contract#l1-missing-paths). A look tells. */
export async function replaceParticipant(
  send: Send,
  ...[meetingId, id, wish, signal]: Changing<ReplacedParticipant>
): Promise<Joining> {
  try {
    return await changed(send, 'PUT', meetingId, id, wish, signal)
  } catch (error) {
    if (!(error instanceof ParticipantNotFound)) throw error
    const found = await findParticipant(send, meetingId, id, signal).catch(() => null)
    throw found === null ? error : new NotOffered({ outcome: 'failed' })
  }
}

export async function removeParticipant(
  send: Send,
  meetingId: string,
  id: string,
  signal: AbortSignal
): Promise<RemovedParticipant> {
  const answer = await send({ method: 'DELETE', path: pathOf(meetingId) + path`/${id}`, signal }, [404])
  if (answer.status === 404) throw new ParticipantNotFound(saidIn(answer))
  return readSuccess(() => readRemoved(answer.body))
}

export async function refreshToken(send: Send, meetingId: string, id: string, signal: AbortSignal): Promise<Secret> {
  const answer = await send({ method: 'POST', path: pathOf(meetingId) + path`/${id}/token`, signal }, [404])
  if (answer.status === 404) throw new ParticipantNotFound(saidIn(answer))
  return readSuccess(() => readToken(meetingId, id, answer.body))
}

type Changing<Wish> = [meetingId: string, id: string, wish: Wish, signal: AbortSignal]

async function changed(
  send: Send,
  method: 'PATCH' | 'PUT',
  ...[meetingId, id, wish, signal]: Changing<object>
): Promise<Joining> {
  const answer = await send({ method, path: pathOf(meetingId) + path`/${id}`, body: wish, signal }, [404])
  if (answer.status === 404) throw new ParticipantNotFound(saidIn(answer))
  return readSuccess(() => {
    const { participant, token } = readJoining(meetingId, answer.body)
    expectId('participant', id, participant.id)
    return { participant: { ...participant, id }, token }
  })
}
