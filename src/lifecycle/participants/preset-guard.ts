import type { OwnedMeeting } from '../../domain/meeting.ts'
import { mayGive, type PresetRights, usualPresetRule } from '../../domain/preset.ts'
import { type Failure, PresetNotAllowed, PresetUnreadable } from '../../domain/refusals/failures.ts'
import type { Directory } from '../../store/memory/directory.ts'
import type { Upstreams } from '../../upstream/provider.ts'
import { providerOf } from '../context.ts'
import type { Presets } from './presets.ts'

export interface PresetGuardDeps {
  directory: Pick<Directory, 'tenant'>
  upstreams: Upstreams
  presets: Presets
}

/**
 * Asks whether the meeting's tenant may give tokens of this preset now: by its name, and where the server alone starts also by what the
 * vendor says of it now.
 * @throws PresetNotAllowed; PresetUnreadable when nobody can tell: then no token comes out
 */
export type DemandPreset = (meeting: OwnedMeeting, name: string, signal: AbortSignal) => Promise<void>

export function presetGuard({ directory, upstreams, presets }: PresetGuardDeps): DemandPreset {
  async function rightsOf(meeting: OwnedMeeting, name: string, signal: AbortSignal): Promise<PresetRights> {
    const { value: all } = await presets.all(meeting, signal)
    const listed = all.find(one => one.name === name)
    if (listed === undefined) throw new PresetUnreadable()
    // Never from a shared answer: this one decides.
    const rights = await providerOf(upstreams, meeting, 'mutation').findPreset(listed.id, signal)
    if (rights?.name !== name) throw new PresetUnreadable()
    return rights
  }

  return async (meeting, name, signal) => {
    const rule = directory.tenant(meeting.tenantId)?.presetRule ?? usualPresetRule
    if (!mayGive(rule, name)) throw notAllowed(`This tenant may not give the preset ${name.slice(0, 256)}`)
    if (!rule.serverStartsOnly) return
    const { mayBroadcast } = await rightsOf(meeting, name, signal).catch(cause => {
      throw unreadable(cause)
    })
    if (!mayBroadcast) return
    throw notAllowed(`The preset ${name} lets a browser start a livestream or a recording: here the server alone does`)
  }
}

/** Failure when it is not known which preset a participant has, or what it allows. */
export function unreadable(cause: unknown): Failure {
  return new PresetUnreadable({ cause, outcome: 'not_sent', retryAfterSeconds: 2 })
}

function notAllowed(message: string): Failure {
  return new PresetNotAllowed({ message, outcome: 'not_sent', details: [{ field: 'body.preset_name', message }] })
}
