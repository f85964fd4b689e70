import t from 'tap'
import { twoAccounts } from '../../support/http/two-accounts.ts'

t.test('a list of a dedicated upstream may write the id of a known meeting in another case, or twice', async t => {
  const { world, rtk } = await twoAccounts(t, {}, { rtk: { dedicated_to: 'acme' } })
  const { asAcme, meeting, otherMeeting } = world
  const [known = '', fresh = ''] = [1, 2].map(() => rtk.addMeeting({}).id)
  t.equal((await asAcme('GET', `/v2/meetings/${known}`)).statusCode, 200)
  const data = [known.toUpperCase(), fresh, fresh.toUpperCase(), otherMeeting.toUpperCase()].map(id => ({ id }))
  rtk.failNext({ match: { method: 'GET', path: '/meetings' }, status: 200, body: { success: true, data } })
  const listed = (await asAcme('GET', '/v2/meetings')).json().data.map(({ id }: { id: string }) => id)
  t.strictSame(listed.sort(), [meeting, known, fresh].sort())
})
