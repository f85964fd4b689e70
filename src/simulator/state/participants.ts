import { randomUUID } from 'node:crypto'
import { iso, Refusal } from '../answers.ts'
import { type Rules, string } from '../rules.ts'

/** Somebody who may join a meeting (contract#participants). Times are epoch milliseconds. */
export interface Invited {
  id: string
  meetingId: string
  customId: string
  name: string | null
  picture: string | null
  presetName: string
  createdAt: number
  updatedAt: number
}

/** A preset of the app (contract#presets), as far as a token depends on it. */
export interface SimulatedPreset {
  id: string
  name: string
  permissions: { can_livestream: boolean; can_record: boolean; recorder_type: string }
  createdAt: number
}

/** The presets that the dashboard makes: hosts may start and record, viewers may not. */
const usualPresets = [
  ['group_call_host', true],
  ['group_call_participant', false],
  ['webinar_presenter', true],
  ['webinar_viewer', false],
  ['livestream_host', true],
  ['livestream_viewer', false]
] as const

/** Participants and presets of the app. */
export class Participants {
  readonly all = new Map<string, Invited>()
  readonly presets = new Map<string, SimulatedPreset>()
  /** All that were ever issued. */
  readonly tokens: string[] = []

  constructor(atMs: number) {
    for (const [name, isHost] of usualPresets)
      this.addPreset({ name, can_livestream: isHost, can_record: isHost }, atMs)
  }

  addPreset(
    fields: { name: string; can_livestream?: boolean; can_record?: boolean; recorder_type?: string },
    at: number
  ) {
    const { name, can_livestream = false, can_record = false, recorder_type = 'NONE' } = fields
    const preset = { id: randomUUID(), name, permissions: { can_livestream, can_record, recorder_type }, createdAt: at }
    this.presets.set(preset.id, preset)
    return preset
  }

  add(fields: Pick<Invited, 'meetingId' | 'customId' | 'name' | 'picture' | 'presetName'>, at: number, id?: string) {
    const one: Invited = { ...fields, id: id ?? randomUUID(), createdAt: at, updatedAt: at }
    this.presetNamed(one.presetName)
    this.all.set(one.id, one)
    return one
  }

  of(meetingId: string): Invited[] {
    return [...this.all.values()].filter(one => one.meetingId === meetingId)
  }

  /** @throws Refusal 404 */
  find(meetingId: string, id: string): Invited {
    const found = this.all.get(id)
    if (found?.meetingId === meetingId) return found
    throw new Refusal(404, `No participant found with id ${id}`)
  }

  /** @throws Refusal 400, in words that are not recorded anywhere */
  presetNamed(name: string): SimulatedPreset {
    const found = [...this.presets.values()].find(one => one.name === name)
    if (found === undefined) throw new Refusal(400, `BAD_REQUEST: preset ${name} does not exist`)
    return found
  }
}

export function invitedShape({ id, name, picture, customId, presetName, createdAt, updatedAt }: Invited): object {
  return {
    ...{ id, name, picture, custom_participant_id: customId, preset_name: presetName },
    created_at: iso(createdAt),
    updated_at: iso(updatedAt)
  }
}

export function listedPresetShape({ id, name, createdAt }: SimulatedPreset): object {
  return { id, name, created_at: iso(createdAt), updated_at: iso(createdAt) }
}

/** The permissions that most presets have alike. */
const usualPermissions = {
  accept_waiting_requests: false,
  can_accept_production_requests: false,
  can_change_participant_permissions: false,
  can_edit_display_name: true,
  can_spotlight: false,
  disable_participant_audio: false,
  disable_participant_screensharing: false,
  disable_participant_video: false,
  hidden_participant: false,
  kick_participant: false,
  pin_participant: false,
  show_participant_list: true,
  waiting_room_type: 'SKIP'
}

export function presetShape(preset: SimulatedPreset): object {
  return { ...listedPresetShape(preset), permissions: { ...usualPermissions, ...preset.permissions } }
}

/** Fields of a participant that `Simulator.addParticipant` takes. */
export const invitedFields: Rules = { id: string, custom_participant_id: string, name: string, preset_name: string }
