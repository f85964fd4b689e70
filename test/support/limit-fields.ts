import { type BareItem, isInnerList, parseItem, parseList } from 'structured-headers'

interface Answered {
  statusCode: number
  headers: Record<string, string | string[] | undefined>
  body: string
}

/** A policy or its state: the name, and the parameters by their names. */
export interface LimitItem {
  name: BareItem
  [parameter: string]: BareItem
}

/** The items of a `RateLimit` or `RateLimit-Policy` field, by a parser that is not ours. @throws what the parser throws */
export function limitItems(field: string | string[] | undefined): LimitItem[] {
  return parseList(String(field)).map(item => {
    if (isInnerList(item)) throw new Error(`a list in a list: ${field}`)
    return { name: item[0], ...Object.fromEntries(item[1]) }
  })
}

/**
 * Checks what every answer of the gateway must keep, whatever the test is about: the fields are structured fields that fit together,
 * nothing behind a key is without them, and a 429 says which policy it was. Answers of others pass.
 * @throws Error when it does not
 */
export function checkLimitFields(path: string, { statusCode, headers, body }: Answered): void {
  const wrong = (why: string): never => {
    throw new Error(`${why}: ${statusCode} ${JSON.stringify(headers)} ${body.slice(0, 500)}`)
  }
  if (headers['x-request-id'] === undefined) return // not the gateway's
  const wait = headers['retry-after']
  const retryAfter = wait === undefined ? null : parseItem(String(wait))[0]
  if (retryAfter !== null && !isCount(retryAfter, 1)) wrong('Retry-After')
  if (headers.ratelimit === undefined || headers['ratelimit-policy'] === undefined) {
    if (headers.ratelimit !== headers['ratelimit-policy']) wrong('one field without the other')
    // Callers that come while the gateway ends are not asked who they are.
    const behindKey =
      /^\/(v2|gateway|client\/v4\/accounts\/[\w-]+\/realtime\/kit\/[\w-]+)(\/|$)/.test(path) &&
      !/"shutting_down"/.test(body)
    if (statusCode === 429 || statusCode === 401 || (behindKey && body !== '')) wrong('no RateLimit fields')
    return
  }
  const policies = limitItems(headers['ratelimit-policy'])
  const states = limitItems(headers.ratelimit)
  const [policy = wrong('no policy'), state = wrong('no state')] = [policies[0], states[0]]
  if (policies.length !== 1 || states.length !== 1) wrong('more than one')
  if (typeof policy.name !== 'string' || policy.name !== state.name) wrong('names')
  if (!isCount(policy.q, 1) || !(isCount(policy.w, 1) || typeof policy.qu === 'string')) wrong('policy')
  if (!isCount(state.r, 0) || !isCount(state.t, 1) || Number(state.r) > Number(policy.q)) wrong('state')
  if (statusCode !== 429) return
  if (state.r !== 0 || retryAfter === null || Number(retryAfter) < Number(state.t)) wrong('Retry-After before t')
  if (body !== '' && JSON.parse(body).error.details?.[0]?.field !== policy.name) wrong('a 429 that names no policy')
}

function isCount(value: BareItem | undefined, minimum: number): boolean {
  return Number.isInteger(value) && Number(value) >= minimum
}
