import { dirname, resolve } from 'node:path'
import { isTenantId } from '../domain/tenant.ts'
import type { UpstreamAccount } from '../domain/upstream-account.ts'
import { Secret } from '../domain/values/secret.ts'
import { baseUrlField, type VendorSettings, variableOf } from '../upstream/vendors/settings.ts'
import type { Vendors } from '../upstream/vendors/vendor.ts'
import { vendors as allVendors } from '../upstream/vendors/vendors.ts'
import { type Environment, type Input, secondOf } from './environment.ts'
import { readOutgoingProxy } from './outgoing-proxy.ts'
import { readWebhookKey, webhookKeyFile, webhookKeyUrl, withProxy } from './webhook-key.ts'

/** Names of a vendor's settings: in the environment, or in the list of upstreams. */
interface Names {
  baseUrl: string
  /** Names of the ids of the account, in the vendor's order. */
  ids: readonly string[]
  credential: string
  budget: string
  webhookKeyUrl: string
  webhookKeyFile: string
}

function variablesOf(settings: VendorSettings): Names {
  const { ids, credential } = settings
  const name = (field: string): string => variableOf(settings, field)
  return {
    baseUrl: name(baseUrlField),
    ids: ids.map(name),
    credential: name(credential),
    budget: 'LIVEGATE_UPSTREAM_BUDGET',
    webhookKeyUrl,
    webhookKeyFile
  }
}

function fieldsOf({ ids, credential }: VendorSettings): Names {
  const webhookKey = { webhookKeyUrl: 'webhook_key_url', webhookKeyFile: 'webhook_key_file' }
  return { baseUrl: baseUrlField, ids, credential, budget: 'budget', ...webhookKey }
}

function secretsIn({ ids, credential }: Names): string[] {
  return [...ids, credential]
}

/** The upstream of the environment's own variables. */
export const defaultUpstream = 'default'

/**
 * The vendor accounts: `default` from the environment, and those of `LIVEGATE_UPSTREAMS_FILE`. With the file the variables need
 * not be there.
 */
export function readAccounts(input: Input, vendors: Vendors = allVendors): readonly UpstreamAccount[] {
  const file = input.text('LIVEGATE_UPSTREAMS_FILE', '')
  const accounts: Read[] = []
  const given = [...vendors].filter(([, { settings }]) => isGiven(input, variablesOf(settings)))
  if (given.length > 1) {
    const prefixes = given.map(([, { settings }]) => `${settings.prefix}_*`).join(' and ')
    const all = given.length === 2 ? 'both' : 'all'
    input.problem(`${prefixes} are ${all} set: for several accounts there is LIVEGATE_UPSTREAMS_FILE`)
  }
  if (given.length === 0 && file === '') {
    const ways = [...vendors.values()].map(({ settings }) => listed(secretsIn(variablesOf(settings))))
    input.problem(`the vendor account is missing: set ${[...ways, 'LIVEGATE_UPSTREAMS_FILE'].join(', or ')}`)
  }
  for (const name of [webhookKeyUrl, webhookKeyFile]) {
    if (given.length > 0 || input.text(name, '') === '') continue
    input.problem(`${name} is for the account of the variables: the list has a field of its own for each upstream`)
  }
  for (const [provider, { settings }] of given) {
    const about = { name: defaultUpstream, provider, dedicatedTo: null }
    accounts.push(readAccount(input, settings, variablesOf(settings), about))
  }
  if (file !== '') accounts.push(...readList(input, resolve(file), vendors))
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
      Object.freeze({
        ...account,
        proxy: readOutgoingProxy(input, account.baseUrl),
        webhookKey: withProxy(input, account.webhookKey)
      })
    )
  )
}

/** An account while the list is read, with the name of its quota, and whether its part of that was given. */
type Read = UpstreamAccount & { quotaOf: Secret; isQuotaGiven: boolean }

/** The files that the settings of upstreams stand in: a change of any of them is a change of the configuration. */
export function upstreamFiles(input: Input, listText: string, vendors: Vendors = allVendors): string[] {
  const secrets = [...vendors.values()].flatMap(({ settings }) => secretsIn(variablesOf(settings)))
  const own = [...secrets.map(name => `${name}_FILE`), webhookKeyFile].map(name => input.text(name, ''))
  const list = input.text('LIVEGATE_UPSTREAMS_FILE', '')
  const inList = list === '' ? [] : [resolve(list), ...secretFilesIn(listText, dirname(resolve(list)))]
  return [...own.filter(path => path !== ''), ...inList]
}

function secretFilesIn(text: string, folder: string): string[] {
  const entries = parseList(text) ?? []
  return entries.flatMap(entry =>
    Object.entries(entry)
      .filter(([name, value]) => name.endsWith('_file') && typeof value === 'string' && value !== '')
      .map(([, value]) => resolve(folder, String(value)))
  )
}

/** `A, B and C`. */
function listed(names: readonly string[]): string {
  return names.join(', ').replace(/, (?=[^,]+$)/, ' and ')
}

function isGiven(input: Input, names: Names): boolean {
  return secretsIn(names).some(name => input.text(name, '') !== '' || input.text(`${name}_FILE`, '') !== '')
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

function readList(input: Input, file: string, vendors: Vendors): Read[] {
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
  return list.flatMap((entry, i) => readEntry(input, entry, { number: i + 1, folder: dirname(file), vendors }))
}

/** A name is a part of file names and of command lines. */
const namePattern = /^[a-z0-9]+(-[a-z0-9]+)*$/

interface Place {
  number: number
  folder: string
  vendors: Vendors
}

function readEntry(input: Input, entry: Entry, { number, folder, vendors }: Place): Read[] {
  const named = typeof entry.name === 'string' && entry.name.length <= 32 && namePattern.test(entry.name)
  const where = `LIVEGATE_UPSTREAMS_FILE, ${named ? `upstream ${entry.name}` : `entry ${number}`}`
  const own = input.inside(toEnvironment(entry, folder), where, '_file')
  if (!named) own.problem('name must be lower-case letters and digits joined by hyphens, at most 32')
  const provider = String(entry.provider)
  const vendor = typeof entry.provider === 'string' ? vendors.get(provider) : undefined
  if (vendor === undefined) {
    own.problem(`provider must be one of ${[...vendors.keys()].join(', ')}`)
    return []
  }
  const { settings } = vendor
  checkFields(own, entry, fieldsOf(settings))
  const { dedicated_to: tenant = null } = entry
  if (tenant !== null && !(typeof tenant === 'string' && isTenantId(tenant))) {
    own.problem('dedicated_to must be the id of a tenant')
  }
  const dedicatedTo = typeof tenant === 'string' ? tenant : null
  return [readAccount(own, settings, fieldsOf(settings), { name: String(entry.name), provider, dedicatedTo })]
}

function checkFields(input: Input, entry: Entry, names: Names): void {
  const { baseUrl, budget, credential, webhookKeyUrl, webhookKeyFile } = names
  const secrets = secretsIn(names)
  const known = [
    'name',
    'provider',
    'dedicated_to',
    baseUrl,
    budget,
    webhookKeyUrl,
    webhookKeyFile,
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
  settings: VendorSettings,
  names: Names,
  about: Pick<UpstreamAccount, 'name' | 'provider' | 'dedicatedTo'>
): Read {
  const ids = names.ids.map(name => {
    const id = input.secret(name)
    const fault = settings.faultOf(id)
    if (fault !== null) input.problem(`${name} ${fault}`)
    return id
  })
  const baseUrl = input.address(names.baseUrl, settings.usualBaseUrl)
  const account = settings.account({ baseUrl, ids, credentials: input.secrets(names.credential) })
  return {
    ...about,
    baseUrl: account.baseUrl,
    // Ids are the same in either case, to vendors that write them in one.
    identity: new Secret(account.identity.toLowerCase()),
    quotaOf: new Secret(account.quotaOf.toLowerCase()),
    credentials: Object.freeze(account.credentials),
    webhookKey: readWebhookKey(input, names, settings.webhookKeyUrl(baseUrl)),
    quota: input.quota(names.budget, settings.usualQuota),
    isQuotaGiven: input.text(names.budget, '') !== ''
  }
}
