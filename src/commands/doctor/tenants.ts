import type { UpstreamAccount } from '../../domain/upstream-account.ts'
import { type Check, failed, ok, type Verdict, warning } from './check.ts'
import type { Seen } from './store.ts'

/** Checks that everything that tenants have can be reached: one line when it can, else one for each that cannot. */
export function checkTenants(accounts: readonly UpstreamAccount[], seen: Seen | null): Check[] {
  const { tenants, held } = seen ?? { tenants: [], held: [] }
  const named = new Map(accounts.map(account => [account.name, account]))
  const configure = 'configure it in LIVEGATE_UPSTREAMS_FILE'

  const ofTenants = tenants.flatMap(({ id, upstream }) => {
    const account = named.get(upstream)
    if (account === undefined) {
      const move = `${configure}, or \`livegate tenant move ${id} --upstream <name>\``
      return [about(id, failed(`belongs to the upstream ${upstream}, which is not configured: ${move}`))]
    }
    const { dedicatedTo } = account
    if (dedicatedTo === null || dedicatedTo === id) return []
    const move = `\`livegate tenant move ${id} --upstream <name>\``
    return [about(id, failed(`belongs to the upstream ${upstream}, which is dedicated to ${dedicatedTo}: ${move}`))]
  })

  const ofUpstreams = accounts.flatMap(({ name, dedicatedTo }) => {
    if (dedicatedTo === null || tenants.some(({ id }) => id === dedicatedTo)) return []
    const message = `the upstream ${name} is dedicated to it, and there is no such tenant: \`livegate tenant create ${dedicatedTo}\`, or correct dedicated_to`
    return [about(dedicatedTo, seen === null ? warning(message) : failed(message))]
  })

  const ofHeld = held.flatMap(({ upstream, meetings, livestreams }) => {
    if (named.has(upstream)) return []
    const what = [some(meetings, 'meeting'), some(livestreams, 'livestream')].filter(text => text !== '').join(' and ')
    return [
      about(`the upstream ${upstream}`, failed(`${what} cannot be reached, since it is not configured: ${configure}`))
    ]
  })

  const wrong = [...ofTenants, ...ofUpstreams, ...ofHeld]
  if (wrong.length > 0 || tenants.length === 0) return wrong
  return [about('all upstreams', ok('each tenant, meeting and livestream is at an upstream that is configured'))]
}

function about(subject: string, verdict: Verdict): Check {
  return { check: 'tenants', subject, ...verdict }
}

function some(count: number, noun: string): string {
  return count === 0 ? '' : `${count} ${noun}${count === 1 ? '' : 's'}`
}
