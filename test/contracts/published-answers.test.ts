import { readFileSync } from 'node:fs'
import t from 'tap'
import { Failure } from '../../src/domain/refusals/failures.ts'
import { systemClock } from '../../src/domain/values/clock.ts'
import { Habits } from '../../src/upstream/account/observed.ts'
import type { Provider, VendorHabits } from '../../src/upstream/provider.ts'
import type { VendorAnswer } from '../../src/upstream/transport/call.ts'
import { dyteProvider as dyte } from '../../src/upstream/vendors/dyte/dyte.ts'
import { realtimekitProvider as realtimekit } from '../../src/upstream/vendors/realtimekit/realtimekit.ts'
import { accountOf } from '../support/account.ts'
import { ContractDocument } from '../support/contracts/document.ts'
import { instanceOf } from '../support/contracts/instance.ts'

/** Something of an answer that was published; the ids in it are the ones that are asked for. */
interface Published {
  id?: string
  meeting_id?: string | null
  livestream?: { id?: string; meeting_id?: string | null }
  associated_id?: string
}

const account = accountOf({ url: 'https://api.dyte.io/v2', org: 'o', key: 'k' })
const page = { pageNo: 1, perPage: 10 }
const signal = AbortSignal.timeout(60_000)
const whom = { participant_ids: ['p1'] }
const wish = { custom_participant_id: 'c1', preset_name: 'p' }
const meeting = '/meetings/{meeting_id}'
const onStage = `${meeting}/active-session`

/** Livegate's calls for each operation. Analytics are its own: no vendor is asked. */
const questions: Record<string, (vendor: Provider, data: Published) => Promise<unknown>> = {
  'POST /livestreams': vendor => vendor.createLivestream({}, signal),
  'GET /livestreams': vendor => vendor.findRuns('none', signal),
  'GET /livestreams/{stream_id}': (vendor, { id = '' }) => vendor.findLivestream(id, page, signal),
  'GET /livestreams/{livestream_id}': (vendor, { livestream }) =>
    vendor.findLivestream(livestream?.id ?? '', page, signal),
  'GET /livestreams/{livestream_id}/active-livestream-session': (vendor, { livestream }) =>
    vendor.findActiveRun(livestream?.id ?? '', signal),
  'GET /livestreams/sessions/{livestream-session-id}': (vendor, { id = '' }) => vendor.findRun(id, signal),
  'PUT /livestreams/{livestream_id}/enable': (vendor, { id = '' }) => vendor.setEnabled(id, true, signal),
  'PUT /livestreams/{livestream_id}/disable': (vendor, { id = '' }) => vendor.setEnabled(id, false, signal),
  'POST /livestreams/{livestream_id}/reset-stream-key': (vendor, { id = '' }) => vendor.resetStreamKey(id, signal),
  [`POST ${meeting}/livestreams`]: (vendor, { meeting_id: id }) => vendor.start(id ?? 'm1', {}, signal),
  [`GET ${meeting}/active-livestream`]: (vendor, { meeting_id: id }) => vendor.findActive(id ?? 'm1', signal),
  [`POST ${meeting}/active-livestream/stop`]: vendor => vendor.stop('m1', signal),
  [`GET ${meeting}/livestream`]: (vendor, { livestream }) =>
    vendor.findOfMeeting(livestream?.meeting_id ?? 'm1', page, signal),
  'GET /sessions/{session_id}/livestream-sessions': vendor => vendor.findRunsOfSession('s1', page, signal),
  'POST /meetings': vendor => vendor.createMeeting({}, signal),
  'GET /meetings': vendor => vendor.findMeetings(page, signal),
  [`GET ${meeting}`]: (vendor, { id = '' }) => vendor.findMeeting(id, signal),
  [`PATCH ${meeting}`]: (vendor, { id = '' }) => vendor.updateMeeting(id, {}, signal),
  [`PUT ${meeting}`]: (vendor, { id = '' }) => vendor.replaceMeeting(id, {}, signal),
  [`GET ${meeting}/participants`]: vendor => vendor.findParticipants('m1', page, signal),
  [`GET ${meeting}/participants/{participant_id}`]: (vendor, { id = '' }) => vendor.findParticipant('m1', id, signal),
  [`POST ${meeting}/participants`]: vendor => vendor.addParticipant('m1', wish, signal),
  [`PATCH ${meeting}/participants/{participant_id}`]: (vendor, { id = '' }) =>
    vendor.updateParticipant('m1', id, {}, signal),
  [`PUT ${meeting}/participants/{participant_id}`]: (vendor, { id = '' }) =>
    vendor.replaceParticipant('m1', id, wish, signal),
  [`DELETE ${meeting}/participants/{participant_id}`]: vendor => vendor.removeParticipant('m1', 'p1', signal),
  [`POST ${meeting}/participants/{participant_id}/token`]: vendor => vendor.refreshToken('m1', 'p1', signal),
  'GET /presets/{preset_id}': (vendor, { id = '' }) => vendor.findPreset(id, signal),
  'GET /presets': vendor => vendor.findPresets(page, signal),
  [`GET ${onStage}`]: (vendor, { associated_id: id = 'm1' }) => vendor.findActiveSession(id, signal),
  [`POST ${onStage}/kick`]: vendor => vendor.onStage('m1', 'kick', whom, signal),
  [`POST ${onStage}/mute`]: vendor => vendor.onStage('m1', 'mute', whom, signal),
  [`POST ${onStage}/kick-all`]: vendor => vendor.onWholeStage('m1', 'kick', {}, signal),
  [`POST ${onStage}/mute-all`]: vendor => vendor.onWholeStage('m1', 'mute', {}, signal)
}

/** Not a part of the API that Livegate offers, or answered by itself. */
const notAsked =
  /webhook|analytics|^(GET|POST) \/accounts|^GET \/sessions(\/\{session_id\})?$|^GET \/meetings\/\{meeting_id\}\/livestreams$/

/** RealtimeKit is not asked for it: what it shows is built from the list (`realtimekit.ts`). */
const dropped = `GET ${meeting}/livestream`

interface Case {
  name: string
  operation: string
  make: (
    send: (question: object, expected?: readonly number[]) => Promise<VendorAnswer>,
    habits: VendorHabits
  ) => Provider
  status: number
  body: unknown
}

function casesOf(file: string, make: Case['make']): Case[] {
  const { operations } = new ContractDocument(file)
  return operations.flatMap(({ name: operation, answers }) =>
    [...answers].flatMap(([status, { schema, examples }]) => {
      const made = schema === null || status >= 300 ? [] : [{ how: 'by its schema', body: instanceOf(schema) }]
      const shown = examples.map((body, i) => ({ how: `example ${i + 1}`, body }))
      return [...made, ...shown].map(({ how, body }) => ({
        name: `${file} ${operation} ${status} ${how}`,
        operation,
        make,
        status,
        body
      }))
    })
  )
}

function ownExamples(): Case[] {
  const file = JSON.parse(readFileSync('test/contracts/examples.json', 'utf8'))
  return Object.entries({ L1: dyte, L2: dyte, RealtimeKit: realtimekit }).flatMap(([part, make]) =>
    Object.entries(file[part] as Record<string, { status: number; body: unknown }>).map(
      ([operation, { status, body }]) => ({
        name: `examples.json ${part} ${operation}`,
        operation,
        make,
        status,
        body
      })
    )
  )
}

const cases = [
  ...casesOf('dyte-v2-2023-06.openapi.json', dyte),
  ...casesOf('dyte-v2.openapi.json', dyte),
  ...casesOf('cloudflare-realtimekit.openapi.json', realtimekit),
  ...ownExamples()
].filter(({ operation, make }) => !notAsked.test(operation) && !(make === realtimekit && operation === dropped))

t.test(
  'each answer that a vendor has published is read, also where its schema and its example contradict each other',
  async t => {
    for (const { name, operation, make, status, body } of cases) {
      const vendor = make(
        async (_question, expected = []) => {
          t.ok(status < 300 || expected.includes(status), `${name}: the status is expected`)
          return { status, body, dateMs: null }
        },
        new Habits({ account, clock: systemClock })
      )
      const { data = {}, LivestreamBase: base } = body as { data?: Published; LivestreamBase?: Published }
      // An independent livestream has no meeting: only the schema, which knows no null there, would make one.
      if (operation === 'POST /livestreams') data.meeting_id = null
      const told = { ...base, ...data } as Published & { livestreams?: Published['livestream'][] }
      const livestream = [told.livestream ?? told.livestreams].flat()[0]
      const ask = questions[operation]
      if (ask === undefined) {
        t.fail(`nobody asks ${operation}`)
        continue
      }
      if (status >= 500) continue
      const failure = await ask(vendor, { ...told, ...(livestream && { livestream }) }).then(
        () => null,
        (error: unknown) => (error instanceof Error ? error : new Error('not even an error'))
      )
      const isNotThere = status === 404 && failure instanceof Failure && failure.status === 404
      t.ok(failure === null || isNotThere, `${name}: ${failure?.message} ${failure?.cause} ${JSON.stringify(body)}`)
    }
  }
)

t.test('all that is asked was published somewhere', async t => {
  const published = new Set(cases.map(({ operation }) => operation))
  t.strictSame(
    Object.keys(questions).filter(operation => !published.has(operation)),
    []
  )
})
