import { randomUUID } from 'node:crypto'
import { iso, Refusal, type SimulatedAnswer, success } from '../answers.ts'
import { nullable, type Rules, string, text } from '../rules.ts'
import { type Invited, invitedShape, listedPresetShape, presetShape } from '../state/participants.ts'
import type { VendorState } from '../state/state.ts'
import { paged } from './lists.ts'
import type { Routes } from './route.ts'

const ofMeeting = '/meetings/{id}/participants'
const picture = nullable(text('a valid uri', value => URL.canParse(value)))
const part: Rules = { name: nullable(string), picture, preset_name: nullable(string) }
const whole: Rules = { name: nullable(string), picture, preset_name: string, custom_participant_id: string }

/** Those who may join meetings (contract#participants), and the presets of the app (contract#presets). */
export function participantRoutes(state: VendorState): Routes {
  const { participants } = state

  /** A participant with a new token, which says whose it is (contract#participant-tokens). */
  function joining(one: Invited, status = 200): SimulatedAnswer {
    return success({ ...invitedShape(one), token: tokenOf(one) }, status)
  }

  function tokenOf({ id, meetingId, presetName }: Invited): string {
    const issuedAt = Math.floor(state.now() / 1_000)
    const { id: presetId } = participants.presetNamed(presetName)
    const claims = { orgId: state.settings.org, meetingId, participantId: id, presetId, iat: issuedAt }
    const parts = [
      { alg: 'HS256', typ: 'JWT' },
      { ...claims, exp: issuedAt + 100 * 86_400, jti: randomUUID() }
    ]
    const [head, body] = parts.map(one => Buffer.from(JSON.stringify(one)).toString('base64url'))
    const token = `${head}.${body}.${randomUUID().replaceAll('-', '')}`
    participants.tokens.push(token)
    return token
  }

  function change(one: Invited, { name, picture, preset_name: presetName }: Record<string, unknown>): Invited {
    if (presetName != null) participants.presetNamed(String(presetName))
    Object.assign(one, {
      ...(name !== undefined && { name }),
      ...(picture !== undefined && { picture }),
      ...(presetName != null && { presetName }),
      updatedAt: state.now()
    })
    return one
  }

  return {
    [`GET ${ofMeeting}`]: ({ id, query }) => {
      const { page, paging } = paged(participants.of(state.meeting(id).id), query)
      return { status: 200, body: { success: true, data: page.map(invitedShape), paging } }
    },
    [`POST ${ofMeeting}`]: ({ id, body }) => {
      state.checkBody(whole, body)
      const { custom_participant_id: customId, preset_name: presetName, name = null, picture = null } = body
      const fields = { customId, presetName, name, picture, meetingId: state.meeting(id).id } as Invited
      return joining(participants.add(fields, state.now()), 201)
    },
    [`PATCH ${ofMeeting}/{id}`]: ({ id, second, body }) => {
      state.checkBody(part, body)
      return joining(change(participants.find(state.meeting(id).id, second), body))
    },
    [`DELETE ${ofMeeting}/{id}`]: ({ id, second }) => {
      const { customId, presetName, createdAt, updatedAt } = participants.find(state.meeting(id).id, second)
      const { id: presetId } = participants.presetNamed(presetName)
      participants.all.delete(second)
      const times = { created_at: iso(createdAt), updated_at: iso(updatedAt) }
      return success({ custom_participant_id: customId, preset_id: presetId, ...times })
    },
    ...(state.settings.participantPut === 'answer' && {
      [`PUT ${ofMeeting}/{id}`]: ({ id, second, body }) => {
        state.checkBody(part, body)
        return joining(change(participants.find(state.meeting(id).id, second), { name: null, picture: null, ...body }))
      }
    }),
    [`POST ${ofMeeting}/{id}/token`]: ({ id, second }) =>
      success({ token: tokenOf(participants.find(state.meeting(id).id, second)) }),
    'GET /presets/{id}': ({ id }) => {
      const preset = participants.presets.get(id)
      if (preset === undefined) throw new Refusal(404, `No preset found with id ${id}`)
      return success(presetShape(preset))
    },
    [`GET ${ofMeeting}/{id}`]: ({ id, second }) =>
      success(invitedShape(participants.find(state.meeting(id).id, second))),
    'GET /presets': ({ query }) => {
      const { page, paging } = paged([...participants.presets.values()], query)
      return { status: 200, body: { success: true, data: page.map(listedPresetShape), paging } }
    }
  }
}
