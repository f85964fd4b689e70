import { systemClock } from '../../../src/domain/values/clock.ts'
import { openUpstream } from '../../../src/upstream/account/open-upstream.ts'
import { accountOf } from '../account.ts'
import { deadlineMs } from './campaign-faults.ts'

export function upstreamsOf(org: string, key: string, addresses: [name: string, url: string][]) {
  const open = (url: string) => openUpstream({ account: accountOf({ url, org, key }), deadlineMs, clock: systemClock })
  return new Map(addresses.map(([name, url]) => [name, open(url)]))
}
