import t from 'tap'
import { UpstreamMalformed } from '../../../src/domain/refusals/failures.ts'
import {
  readActiveRun,
  readOfMeeting,
  readRun,
  readRuns,
  readSwitched
} from '../../../src/upstream/contract/contract-livestreams.ts'

const livestream = { id: 'l1', status: 'LIVE', meeting_id: 'm1', disabled: 'false', org_id: 'o' }
const run = { id: 'r1', livestream_id: 'l1', ingest_seconds: '60', viewer_seconds: 59.5, stopped_time: null }
const readRunOnly = { id: 'r1', livestream_id: 'l1', ingest_seconds: 60, viewer_seconds: 59.5, stopped_time: null }
const paging = { total_count: 7, start_offset: 1, end_offset: 1 }
const one = { total_count: 1, start_offset: 1, end_offset: 1 }
const none = { total_count: 0, start_offset: 0, end_offset: 0 }
const success = (data: unknown, beside: object = {}) => ({ success: true, data, ...beside })

t.test('an enabled or disabled livestream is read in either place, less what is not its own', async t => {
  const read = { id: 'l1', status: 'LIVE', meeting_id: 'm1', disabled: false }
  t.strictSame(readSwitched(success(livestream)), read)
  t.strictSame(readSwitched({ success: true, LivestreamBase: livestream }), read)
  for (const body of [{ success: true }, success(null), { success: false, data: livestream }, [], null]) {
    t.throws(() => readSwitched(body), UpstreamMalformed, JSON.stringify(body))
  }
})

t.test('the run that goes on is read as object or array; none is none', async t => {
  for (const session of [run, [run]]) {
    t.match(readActiveRun(success({ livestream, session })), { livestream: { id: 'l1' }, session: readRunOnly })
  }
  for (const session of [null, []]) t.equal(readActiveRun(success({ livestream, session })), null)
  for (const data of [{ livestream }, { session: run }, run, null]) {
    t.throws(() => readActiveRun(success(data)), UpstreamMalformed, JSON.stringify(data))
  }
  t.strictSame(readRun(success(run)), readRunOnly)
  t.throws(() => readRun(success([run])), UpstreamMalformed)
})

t.test("a meeting's livestream is read in every form, paging in either place", async t => {
  const forms: [object, object, object][] = [
    [{ livestream, sessions: [run] }, { paging }, paging],
    [{ livestreams: [livestream], session: run, paging }, {}, paging],
    [{ livestreams: livestream, sessions: run }, {}, one],
    [{ livestream: [livestream], session: [run] }, {}, one]
  ]
  for (const [data, beside, expected] of forms) {
    const read = readOfMeeting(success(data, beside))
    t.match(read, { livestream: { id: 'l1' }, sessions: [readRunOnly], paging: expected }, JSON.stringify(data))
  }
  const several = { livestreams: [livestream, { ...livestream, id: 'l2' }], session: { ...run, livestream_id: 'l2' } }
  t.strictSame(readOfMeeting(success(several))?.sessions, [], 'a run of another one is not shown as of the first')
  for (const data of [{ livestreams: [] }, { livestream: null }, {}]) t.equal(readOfMeeting(success(data)), null)
})

t.test('a page of runs is read in every form, paging in either place', async t => {
  const forms: [unknown, object, object][] = [
    [[run], { paging }, paging],
    [[run], {}, one],
    [{ data: [run], paging }, {}, paging],
    [{ data: run }, { paging }, paging],
    [{ ...run, paging }, {}, paging]
  ]
  for (const [data, beside, expected] of forms) {
    t.strictSame(readRuns(success(data, beside)), { sessions: [readRunOnly], paging: expected }, JSON.stringify(data))
  }
  t.strictSame(readRuns(success([])), { sessions: [], paging: none })
  t.strictSame(readRuns(success({ paging: none })), { sessions: [], paging: none })
  for (const data of [null, 'x', [{ id: 1 }], {}]) t.throws(() => readRuns(success(data)), UpstreamMalformed)
})
