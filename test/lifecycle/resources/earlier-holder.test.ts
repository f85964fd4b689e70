import t from 'tap'
import { KnownMeetings } from '../../../src/lifecycle/resources/known-meetings.ts'
import type { KnownMeeting } from '../../../src/store/tables/livestreams.ts'

const meeting = { id: 'm1', tenantId: 'globex', upstream: 'default' }

/** A memory over a store in which this row stands. */
function over(row: Partial<KnownMeeting> | null | Error): KnownMeetings {
  const stored = { id: 'l1', tenantId: 'acme', upstream: 'default', meetingId: 'm1', isProved: true }
  const meetingOf = async (): Promise<KnownMeeting | null> => {
    if (row instanceof Error) throw row
    return row && { ...stored, ...row }
  }
  return new KnownMeetings({ meetingOf }, async () => false)
}

t.test('a livestream of the meeting that another tenant held belongs to that tenant', async t => {
  const isOfEarlierHolder = (row: Parameters<typeof over>[0]) => over(row).isOfEarlierHolder(meeting, 'l1')
  t.ok(await isOfEarlierHolder({}))
  t.notOk(await isOfEarlierHolder({ tenantId: 'globex' }), 'its own')
  t.notOk(await isOfEarlierHolder({ meetingId: 'm2' }), 'one of another meeting')
  t.notOk(await isOfEarlierHolder(null), 'one that nobody knows')
  t.ok(await isOfEarlierHolder(new Error('disk')), 'a store that cannot be read proves nothing')
})
