import type { UpstreamAccount } from '../../domain/upstream-account.ts'

/** Whether two configurations are of the same account, whatever its credentials: these can change while calls go on. */
export function isSameAccount(one: UpstreamAccount, other: UpstreamAccount): boolean {
  return isSameConfiguration({ ...one, credentials: [] }, { ...other, credentials: [] })
}

export function isSameConfiguration(one: UpstreamAccount, other: UpstreamAccount): boolean {
  return textOf(one) === textOf(other)
}

/** An account as text in which nothing is hidden: to compare, and nothing else. */
function textOf({ baseUrl, identity, credentials, ...rest }: UpstreamAccount): string {
  return JSON.stringify([baseUrl.href, identity.reveal(), credentials.map(one => one.reveal()), Object.entries(rest)])
}
