import { randomBytes } from 'node:crypto'
import { Secret } from '../../../domain/values/secret.ts'
import { path } from '../../contract/contract.ts'
import { cloudflareEdge } from '../../contract/refusals.ts'
import { at } from '../../contract/vendor-words.ts'
import { harmlessRead } from '../dyte/harmless-read.ts'
import { baseUrlField, bothNames } from '../settings.ts'
import type { Diagnosis, Refused } from '../vendor.ts'
import { settings } from './settings.ts'

const tokenSetting = bothNames(settings, 'api_token')
const accountSetting = bothNames(settings, 'account_id')
const appSetting = bothNames(settings, 'app_id')

export const diagnosis: Diagnosis = {
  async whyRefused(refused) {
    if (refused.complaint === 'route') return whyNoRoute(refused)
    return refused.complaint === 'credentials' || refused.status === 401 ? whyNotAuthentic(refused) : null
  },
  contracts: ['L2'],
  questions: [
    {
      name: 'bad-token',
      fits: ['401', '403'],
      async ask(_meetingId, ask) {
        const wrong = new Secret(`Bearer ${randomBytes(20).toString('hex')}`)
        return (await ask(harmlessRead, wrong)).status
      }
    },
    {
      name: 'dropped',
      fits: ['gone', 'answer'],
      async ask(meetingId, ask) {
        const { status, body } = await ask({ method: 'GET', path: path`/meetings/${meetingId}/livestream` })
        const complaint = cloudflareEdge.complaintIn(body)
        if (complaint === 'route') return 'gone'
        return complaint === null && [200, 404].includes(status) ? 'answer' : status
      }
    }
  ]
}

/** Parts of an account's address: of all of Cloudflare's API, of the account in it, and of the account's apps. */
function partsOf({ pathname }: URL): { edge: string; account: string; kit: string } {
  const [whole = '', account = '', kit = ''] = /(\/accounts\/[^/]+)(\/realtime\/kit)\/[^/]+$/.exec(pathname) ?? []
  const edge = pathname.slice(0, pathname.length - whole.length)
  return { edge, account: edge + account, kit: edge + account + kit }
}

/** The same answer comes for a wrong token and for one of another account: of the token alone the edge says which it is. */
async function whyNotAuthentic({ status, baseUrl, ask }: Refused): Promise<string> {
  const { edge, account } = partsOf(baseUrl)
  // Tokens belong to a person or to an account; of the second kind only the account's own operation knows.
  for (const [under, path] of [
    [edge, '/user/tokens/verify'],
    [account, '/tokens/verify']
  ] as const) {
    const answer = await ask({ method: 'GET', path, under })
    if (answer.status !== 200) continue
    if (at(answer.body, 'result', 'status') === 'active') return refusedAccount(status)
    return `refused with ${status}; the token is known, but not active: make another, and set ${tokenSetting}`
  }
  return `refused with ${status}; the token is wrong, or was deleted: correct ${tokenSetting}`
}

/** Nothing is behind the path. When the account shows its apps, the account is right. */
async function whyNoRoute({ status, baseUrl, ask }: Refused): Promise<string> {
  const apps = await ask({ method: 'GET', path: '/apps', under: partsOf(baseUrl).kit })
  if (apps.status === 200)
    return `the token is good for the account, which has no such app (${status}): correct ${appSetting}`
  if (apps.status === 401 || apps.status === 403) return refusedAccount(status)
  const base = bothNames(settings, baseUrlField)
  return `there is no such account there (${status}): correct ${accountSetting}, or ${base}`
}

function refusedAccount(status: number): string {
  return `refused with ${status}, although the token is good: correct ${accountSetting}, or give the token the permission Realtime for that account`
}
