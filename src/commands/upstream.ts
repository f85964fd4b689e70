import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readStoreConfig } from '../config/config.ts'
import { inWords } from '../upstream/account/observed.ts'
import { habitsBefore, type QuotaFile, readQuotaFile } from '../upstream/quota/quota-file.ts'
import { type Io, type JsonOption, print, table, when } from './process/io.ts'

/** A running gateway writes at least so often while it is asked something. */
const recordedEveryMs = 1_000

/**
 * Shows what is left of each vendor account's quota, by the record that the gateway keeps in the data folder. Only the operator sees
 * it: tenants are never told what the organisation has left.
 */
export async function showUpstreams(io: Io, options: JsonOption): Promise<void> {
  const { auditKeys } = readStoreConfig(io.env)
  const records = await readAll(auditKeys.dataDir)
  const nowMs = Date.now()
  const shown = records.map(record => ({ ...shownOf(record, nowMs), tenants: tenantsOf(record) }))
  const empty = `no gateway has kept a record in ${auditKeys.dataDir} yet`
  print(io, options, shown, records.map(record => text(record, nowMs)).join('\n\n') || empty)
}

const unknown = { refusesSecondStart: false, failsForMs: 0 }

async function readAll(folder: string): Promise<QuotaFile[]> {
  const names = await readdir(folder).catch(() => [])
  const files = names.filter(name => /^upstream-.+\.json$/.test(name)).sort()
  const records = await Promise.all(files.map(name => readQuotaFile(join(folder, name))))
  return records.filter(record => record !== null)
}

function shownOf({ atMs, windowMs, pausedForMs, loweredTo, ...record }: QuotaFile, nowMs: number) {
  const { upstream, quota, used, left, breaker, habits } = record
  const ways = habitsBefore({ atMs, ...(habits && { habits }) }, nowMs)
  return {
    upstream,
    observed_at: new Date(atMs).toISOString(),
    quota,
    window_seconds: windowMs / 1_000,
    lowered_to: loweredTo,
    used,
    left,
    // The record may be newer than the question.
    paused_seconds: Math.max(0, Math.ceil((pausedForMs - Math.max(0, nowMs - atMs)) / 1_000)),
    breaker,
    refuses_second_start: ways?.refusesSecondStart ?? false,
    fails_when_nothing_is_live: (ways?.failsForMs ?? 0) > 0
  }
}

/** A quota as operators are shown it. */
export type ShownQuota = ReturnType<typeof shownOf>

/** The record of each upstream in the data folder. */
export async function readQuotas(folder: string, nowMs: number): Promise<ShownQuota[]> {
  return (await readAll(folder)).map(record => shownOf(record, nowMs))
}

function tenantsOf({ tenants }: QuotaFile) {
  return tenants.map(({ tenantId, ...used }) => ({ tenant: tenantId, ...used }))
}

function text(record: QuotaFile, nowMs: number): string {
  const { upstream, quota, window_seconds, lowered_to, used, left, paused_seconds, breaker } = shownOf(record, nowMs)
  const ago = nowMs - record.atMs
  const lines = [
    `upstream ${upstream}, as of ${when(record.atMs)}${ago > 10 * recordedEveryMs ? ' (nothing has been asked since, or no gateway runs)' : ''}`,
    `quota      ${quota} calls in ${window_seconds} s${lowered_to < quota ? `, lowered to ${lowered_to} after refusals` : ''}`,
    `used       ${used.read} reads, ${used.mutation} starts and other changes, ${used.stop} stops, ${used.other} before or by others`,
    `left       ${left.read} for reads, ${left.mutation} for starts and other changes, ${left.stop} for stops`,
    `vendor     ${paused_seconds > 0 ? `asks for a pause of ${paused_seconds} s` : 'asks for no pause'}; breaker ${breaker}`
  ]
  const habits = inWords(habitsBefore(record, nowMs) ?? unknown)
  if (habits.length > 0) lines.push(`habits     ${habits.join('; ')}`)
  const rows = record.tenants.map(({ tenantId, reads, mutations, stops }) =>
    [tenantId, reads, mutations, stops].map(String)
  )
  return rows.length === 0
    ? lines.join('\n')
    : [...lines, '', table([['tenant', 'reads', 'changes', 'stops'], ...rows], '')].join('\n')
}
