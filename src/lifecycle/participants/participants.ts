import type { Caller } from '../../domain/caller.ts'
import { placeOf } from '../../domain/id.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import type { MeetingParticipant } from '../../domain/participant.ts'
import { mayGive, type Preset } from '../../domain/preset.ts'
import { ParticipantNotFound } from '../../domain/refusals/failures.ts'
import { type Page, type Paged, type Paging, pagingOf } from '../../domain/values/paging.ts'
import { tellTrouble } from '../../domain/values/tell-trouble.ts'
import type { Upstreams } from '../../upstream/provider.ts'
import { type Context, providerOf, waitBriefly } from '../context.ts'
import { type Seen, SharedReads } from '../reads/shared-reads.ts'
import { type AddParticipant, type AddParticipantDeps, addParticipantOnce } from './add-participant.ts'
import { type ParticipantChanges, type ParticipantChangesDeps, participantChanges } from './participant-changes.ts'
import { type PresetGuardDeps, presetGuard } from './preset-guard.ts'
import { type PresetsDeps, presetsOf } from './presets.ts'
import { participantsOf, type RememberParticipants } from './remember-participants.ts'

export interface ParticipantsDeps
  extends PresetsDeps,
    Pick<Context, 'changes'>,
    Omit<PresetGuardDeps, 'presets'>,
    Omit<AddParticipantDeps, 'demandPreset'>,
    Omit<ParticipantChangesDeps, 'demandPreset'> {
  upstreams: Upstreams
  rememberParticipants: RememberParticipants
  log: { warn(facts: object, message: string): void }
}

/** Presets that a tenant asks for: a page of those that it may give. */
export type PresetFilter = Page & { search: string | undefined }

/** Participants of a tenant's meetings, and the presets that it may give them. */
export interface TenantParticipants extends ParticipantChanges {
  add: AddParticipant
  /** As the vendor lists them. Those that are shown are known from then on. */
  list(meeting: OwnedMeeting, page: Page, signal: AbortSignal): Promise<Seen<ParticipantPage>>
  /** @param id of a known one. @throws ParticipantNotFound */
  find(meeting: OwnedMeeting, id: string, signal: AbortSignal): Promise<Seen<MeetingParticipant>>
  presets(caller: Caller, filter: PresetFilter, signal: AbortSignal): Promise<Seen<Paged<Preset>>>
}

interface ParticipantPage {
  items: MeetingParticipant[]
  paging: Paging
}

export function tenantParticipants(deps: ParticipantsDeps): TenantParticipants {
  const { upstreams, rememberParticipants, log } = deps
  const lists = new SharedReads<ParticipantPage>(deps)
  const single = new SharedReads<MeetingParticipant | null>(deps)
  const presets = presetsOf(deps)
  const acting = { ...deps, demandPreset: presetGuard({ ...deps, presets }) }
  // No tenant id has a slash.
  const keyOf = (meeting: OwnedMeeting, what: string): string => `${meeting.tenantId}/${placeOf(meeting)}/${what}`

  async function look(meeting: OwnedMeeting, page: Page, signal: AbortSignal): Promise<ParticipantPage> {
    const found = await providerOf(upstreams, meeting, 'read').findParticipants(meeting.id, page, signal)
    await waitBriefly(
      rememberParticipants
        .keep(meeting, found.items)
        .catch(
          tellTrouble(
            log,
            'warn',
            { event: 'sighting_not_kept', meeting_id: meeting.id },
            'participants that were seen could not be kept'
          )
        )
    )
    return found
  }

  return {
    ...participantChanges(acting),
    add: addParticipantOnce(acting),

    list(meeting, page, signal) {
      const key = keyOf(meeting, `${page.pageNo} ${page.perPage}`)
      const ask = (signal: AbortSignal) => look(meeting, page, signal)
      return lists.read({ key, subject: participantsOf(meeting), ask, signal: () => signal })
    },

    async find(meeting, id, signal) {
      const ask = (signal: AbortSignal) =>
        providerOf(upstreams, meeting, 'read').findParticipant(meeting.id, id, signal)
      const subject = participantsOf(meeting)
      const { value, ...seen } = await single.read({ key: keyOf(meeting, id), subject, ask, signal: () => signal })
      if (value === null) throw new ParticipantNotFound()
      return { ...seen, value }
    },

    async presets({ tenant }, { search, ...page }, signal) {
      const { value, ...seen } = await presets.all({ upstream: tenant.upstream, tenantId: tenant.id }, signal)
      const shown = value.filter(({ name }) => mayGive(tenant.presetRule, name) && name.includes(search ?? ''))
      const items = shown.slice((page.pageNo - 1) * page.perPage, page.pageNo * page.perPage)
      return { ...seen, value: { items, paging: pagingOf(page, items.length, shown.length) } }
    }
  }
}
