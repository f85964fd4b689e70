import { isVendorId } from '../../../domain/id.ts'
import type { MeetingParticipant } from '../../../domain/participant.ts'
import type { Preset } from '../../../domain/preset.ts'
import type { Page } from '../../../domain/values/paging.ts'
import { expectId, path } from '../../contract/contract.ts'
import { type PageOf, readParticipant, readParticipants, readPresets } from '../../contract/contract-participants.ts'
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
