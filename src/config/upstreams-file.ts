import { dirname, resolve } from 'node:path'
import { isVendorId } from '../domain/id.ts'
import { isTenantId } from '../domain/tenant.ts'
import { type ProviderKind, providerKinds, type UpstreamAccount } from '../domain/upstream-account.ts'
import { Secret } from '../domain/values/secret.ts'
import { type Environment, type Input, secondOf } from './environment.ts'
import { readOutgoingProxy } from './outgoing-proxy.ts'

/** What a setting is called: in the environment, and in the file of several upstreams. */
type Names = Record<'baseUrl' | 'owner' | 'app' | 'credential' | 'budget', string>

const variablesOf: Record<ProviderKind, Names> = {
  dyte: {
    baseUrl: 'DYTE_BASE_URL',
    owner: 'DYTE_ORG_ID',
    app: '',
    credential: 'DYTE_API_KEY',
    budget: 'LIVEGATE_UPSTREAM_BUDGET'
  },
  realtimekit: {
    baseUrl: 'REALTIMEKIT_BASE_URL',
    owner: 'REALTIMEKIT_ACCOUNT_ID',
    app: 'REALTIMEKIT_APP_ID',
    credential: 'REALTIMEKIT_API_TOKEN',
    budget: 'LIVEGATE_UPSTREAM_BUDGET'
  }
}

const fieldsOf: Record<ProviderKind, Names> = {
  dyte: { baseUrl: 'base_url', owner: 'org_id', app: '', credential: 'api_key', budget: 'budget' },
  realtimekit: {
    baseUrl: 'base_url',
    owner: 'account_id',
    app: 'app_id',
    credential: 'api_token',
    budget: 'budget'
  }
}

/** The upstream of the environment's own variables. */
export const defaultUpstream = 'default'

/**
 * The vendor accounts: `default` from the environment, and those of `LIVEGATE_UPSTREAMS_FILE`. With the file the variables need
 * not be there.
 */
export function readAccounts(input: Input): readonly UpstreamAccount[] {
  const file = input.text('LIVEGATE_UPSTREAMS_FILE', '')
  const accounts: Read[] = []
  const given = providerKinds.filter(kind => isGiven(input, variablesOf[kind]))
  if (given.length > 1) {
    input.problem('DYTE_* and REALTIMEKIT_* are both set: for several accounts there is LIVEGATE_UPSTREAMS_FILE')
  }
  if (given.length === 0 && file === '') {
    const { owner, app, credential } = variablesOf.realtimekit
    const ways = ['DYTE_ORG_ID and DYTE_API_KEY', `${owner}, ${app} and ${credential}`, 'LIVEGATE_UPSTREAMS_FILE']
    input.problem(`the vendor account is missing: set ${ways.join(', or ')}`)
  }
  for (const kind of given) {
    accounts.push(readAccount(input, kind, variablesOf[kind], { name: defaultUpstream, dedicatedTo: null }))
  }
  if (file !== '') accounts.push(...readList(input, resolve(file)))
  for (const [i, { name, identity, quotaOf, isQuotaGiven }] of accounts.entries()) {
    const before = accounts.slice(0, i)
    if (given.length < 2 && before.some(other => other.name === name))
      input.problem(`there are two upstreams called ${name}`)
    const same = before.find(other => other.identity.reveal() === identity.reveal())
    // Each would count the one quota alone.
    if (same !== undefined && same.name !== name) input.problem(`${same.name} and ${name} are the same account`)
    const shared = before.find(other => other !== same && other.quotaOf.reveal() === quotaOf.reveal())
    if (shared !== undefined && !(shared.isQuotaGiven && isQuotaGiven)) {
      input.problem(`${shared.name} and ${name} share one account's quota: give each its part of it as budget`)
    }
  }
  return Object.freeze(
    accounts.map(({ quotaOf, isQuotaGiven, ...account }) =>
      Object.freeze({ ...account, proxy: readOutgoingProxy(input, account.baseUrl) })
    )
  )
}

/** What is known of an account while the list is read: whose quota it uses, and whether its part of it was given. */
type Read = UpstreamAccount & { quotaOf: Secret; isQuotaGiven: boolean }

/** The files that the settings of upstreams stand in: a change of any of them is a change of the configuration. */
export function upstreamFiles(input: Input, listText: string): string[] {
  const own = providerKinds.flatMap(kind => {
    const { owner, app, credential } = variablesOf[kind]
    return [owner, app, credential].map(name => (name === '' ? '' : input.text(`${name}_FILE`, '')))
  })
  const list = input.text('LIVEGATE_UPSTREAMS_FILE', '')
  const listed = list === '' ? [] : [resolve(list), ...secretFilesIn(listText, dirname(resolve(list)))]
  return [...own.filter(path => path !== ''), ...listed]
}

function secretFilesIn(text: string, folder: string): string[] {
  const entries = parseList(text) ?? []
  return entries.flatMap(entry =>
    Object.entries(entry)
      .filter(([name, value]) => name.endsWith('_file') && typeof value === 'string' && value !== '')
      .map(([, value]) => resolve(folder, String(value)))
  )
}

function isGiven(input: Input, { owner, app, credential }: Names): boolean {
  return [owner, app, credential].some(
    name => name !== '' && (input.text(name, '') !== '' || input.text(`${name}_FILE`, '') !== '')
  )
}

type Entry = Record<string, unknown>

/** Null when it is no list of objects. */
function parseList(text: string): Entry[] | null {
  try {
    const list: unknown = JSON.parse(text)
    const isList =
      Array.isArray(list) && list.every(one => typeof one === 'object' && one !== null && !Array.isArray(one))
    return isList ? list : null
  } catch {
    return null
  }
}

function readList(input: Input, file: string): Read[] {
  const text = input.file(file)
  if (text === null) {
    input.problem('LIVEGATE_UPSTREAMS_FILE cannot be read')
    return []
  }
  const list = parseList(text)
  if (list === null || list.length === 0) {
    input.problem('LIVEGATE_UPSTREAMS_FILE must be a JSON list of objects, one for each upstream')
    return []
  }
  return list.flatMap((entry, i) => readEntry(input, entry, i + 1, dirname(file)))
}

/** A name is a part of file names and of command lines. */
const namePattern = /^[a-z0-9]+(-[a-z0-9]+)*$/

function readEntry(input: Input, entry: Entry, number: number, folder: string): Read[] {
  const named = typeof entry.name === 'string' && entry.name.length <= 32 && namePattern.test(entry.name)
  const where = `LIVEGATE_UPSTREAMS_FILE, ${named ? `upstream ${entry.name}` : `entry ${number}`}`
  const own = input.inside(toEnvironment(entry, folder), where, '_file')
  if (!named) own.problem('name must be lower-case letters and digits joined by hyphens, at most 32')
  const kind = providerKinds.find(one => one === entry.provider)
  if (kind === undefined) {
    own.problem(`provider must be one of ${providerKinds.join(', ')}`)
    return []
  }
  checkFields(own, entry, fieldsOf[kind])
  const { dedicated_to: tenant = null } = entry
  if (tenant !== null && !(typeof tenant === 'string' && isTenantId(tenant))) {
    own.problem('dedicated_to must be the id of a tenant')
  }
  const dedicatedTo = typeof tenant === 'string' ? tenant : null
  return [readAccount(own, kind, fieldsOf[kind], { name: String(entry.name), dedicatedTo })]
}

function checkFields(input: Input, entry: Entry, names: Names): void {
  const { baseUrl, budget, owner, app, credential } = names
  const secrets = [owner, app, credential].filter(name => name !== '')
  const known = [
    'name',
    'provider',
    'dedicated_to',
    baseUrl,
    budget,
    ...secrets,
    ...secrets.map(name => `${name}_file`)
  ]
  for (const [name, value] of Object.entries(entry)) {
    const isText = typeof value === 'string'
    const isPair = name === credential && isOneOrTwo(value)
    if (!known.includes(name)) input.problem(`${/^[a-z_]{1,32}$/.test(name) ? name : 'a field'} is not a known field`)
    else if (!isText && !isPair && value !== null)
      input.problem(`${name} must be a string${name === credential ? ', or a list of one or two' : ''}`)
  }
}

function isOneOrTwo(value: unknown): boolean {
  return Array.isArray(value) && [1, 2].includes(value.length) && value.every(one => typeof one === 'string')
}

/** An entry reads like an environment: files beside the list may be named without their folder. */
function toEnvironment(entry: Entry, folder: string): Environment {
  const texts = Object.entries(entry).flatMap(([name, value]) => {
    const [text, second] = [value].flat()
    if (typeof text !== 'string' || text === '') return []
    return [
      [name, name.endsWith('_file') ? resolve(folder, text) : text],
      ...(typeof second === 'string' ? [[secondOf(name), second]] : [])
    ]
  })
  return Object.fromEntries(texts)
}

function readAccount(
  input: Input,
  kind: ProviderKind,
  names: Names,
  given: Pick<UpstreamAccount, 'name' | 'dedicatedTo'>
): Read {
  const account = kind === 'dyte' ? readDyte(input, names) : readRealtimekit(input, names)
  return { ...given, provider: kind, isQuotaGiven: input.text(names.budget, '') !== '', ...account }
}

type Account = Pick<Read, 'baseUrl' | 'identity' | 'quotaOf' | 'credentials' | 'quota'>

function readDyte(input: Input, names: Names): Account {
  const orgId = input.secret(names.owner)
  // The colon parts the two in Basic credentials (RFC 7617).
  if (orgId.includes(':')) input.problem(`${names.owner} must not have a colon`)
  const toBasic = (apiKey: string): Secret =>
    new Secret(`Basic ${Buffer.from(`${orgId}:${apiKey}`).toString('base64')}`)
  return {
    baseUrl: input.address(names.baseUrl, 'https://api.dyte.io/v2'),
    ...identified(`dyte ${orgId}`),
    credentials: Object.freeze(input.secrets(names.credential).map(toBasic)),
    // Dyte's own figure (contract#dyte-quota).
    quota: input.quota(names.budget, { calls: 2_000, seconds: 60 })
  }
}

/** Ids are the same in either case, to vendors that write them in one. */
function identified(identity: string, quotaOf = identity): Pick<Read, 'identity' | 'quotaOf'> {
  return { identity: new Secret(identity.toLowerCase()), quotaOf: new Secret(quotaOf.toLowerCase()) }
}

function readRealtimekit(input: Input, names: Names): Account {
  const id = (name: string): string => {
    const value = input.secret(name)
    if (value !== '' && !isVendorId(value)) input.problem(`${name} must be letters, digits, - and _, at most 64`)
    return value
  }
  const account = id(names.owner)
  const app = id(names.app)
  const baseUrl = new URL(input.address(names.baseUrl, 'https://api.cloudflare.com/client/v4'))
  baseUrl.pathname = `${baseUrl.pathname.replace(/\/+$/, '')}/accounts/${account}/realtime/kit/${app}`
  return {
    baseUrl,
    // The quota is the token's or the account's, whatever the app (contract#cloudflare-quota).
    ...identified(`realtimekit ${account} ${app}`, `realtimekit ${account}`),
    credentials: Object.freeze(input.secrets(names.credential).map(token => new Secret(`Bearer ${token}`))),
    // Cloudflare's figure for all of its API, the stricter of the two (contract#cloudflare-quota).
    quota: input.quota(names.budget, { calls: 1_200, seconds: 300 })
  }
}
