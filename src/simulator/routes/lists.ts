import { Invalid } from '../answers.ts'

/** The vendor's `paging`: offsets count from 1 (contract#paging). An empty page ends before it starts: 1 and 0 where there is nothing. */
export interface Paging {
  total_count: number
  start_offset: number
  end_offset: number
}

/** Entries a page that were met to be honoured. Whether more are refused, honoured or cut off like here is not known. */
const mostPerPage = 100

/** `page_no` from 1 and `per_page`, which is 10 by default: the vendor's own default is not confirmed. */
export function paged<T>(items: T[], query: URLSearchParams): { page: T[]; paging: Paging } {
  const perPage = Math.min(wholeNumber(query, 'per_page', 10, 1), mostPerPage)
  const skipped = (wholeNumber(query, 'page_no', 1, 1) - 1) * perPage
  const page = items.slice(skipped, skipped + perPage)
  const paging = { total_count: items.length, start_offset: skipped + 1, end_offset: skipped + page.length }
  return { page, paging }
}

/** L1's page: `limit` 10 and `offset` 0 by default (contract#l1-lists). */
export function pagedL1<T>(items: T[], query: URLSearchParams): { page: T[]; head: object } {
  const limit = wholeNumber(query, 'limit', 10, 1)
  const offset = wholeNumber(query, 'offset', 0, 0)
  const total = items.length
  const head = {
    limit,
    total,
    total_count: total,
    page_count: Math.ceil(total / limit),
    current_page: Math.floor(offset / limit) + 1
  }
  return { page: items.slice(offset, offset + limit), head }
}

/** @throws Invalid naming the parameter. */
export function wholeNumber(query: URLSearchParams, name: string, fallback: number, from: number): number {
  const value = query.get(name)
  if (value === null) return fallback
  if (/^\d{1,9}$/.test(value) && Number(value) >= from) return Number(value)
  throw new Invalid('query', `"${name}" must be a number larger than or equal to ${from}`)
}

/** One of a few words, or null when the parameter is absent. @throws Invalid naming the parameter. */
export function word<Word extends string>(query: URLSearchParams, name: string, words: readonly Word[]): Word | null {
  const value = query.get(name)
  const found = words.find(one => one === value)
  if (value === null || found !== undefined) return found ?? null
  throw new Invalid('query', `"${name}" must be one of [${words.join(', ')}]`)
}

/** `start_time` and `end_time`, both included. Which time of an item they mean is not confirmed: here, when it began. */
export function inTime(query: URLSearchParams): (at: number) => boolean {
  return between(query, Date.parse)
}

/** The same, in Unix seconds or ISO 8601: current and earlier captures of RealtimeKit's analytics differ (contract#analytics-times). */
export function inTimeOrSeconds(query: URLSearchParams): (at: number) => boolean {
  return between(query, text => (/^\d+(\.\d+)?$/.test(text) ? Number(text) * 1_000 : Date.parse(text)))
}

function between(query: URLSearchParams, parse: (text: string) => number): (at: number) => boolean {
  const from = time(query, 'start_time', parse) ?? Number.NEGATIVE_INFINITY
  const to = time(query, 'end_time', parse) ?? Number.POSITIVE_INFINITY
  return at => from <= at && at <= to
}

function time(query: URLSearchParams, name: string, parse: (text: string) => number): number | null {
  const value = query.get(name)
  if (value === null) return null
  const at = parse(value)
  if (Number.isNaN(at)) throw new Invalid('query', `"${name}" must be a valid ISO 8601 date`)
  return at
}

/**
 * Sorts the newest first, unless `sort_order` says ASC. Livestreams call the usual order DSC, everything else DESC
 * (contract#list-query). Each refuses the other's word, so that a client which mixes them up hears of it.
 */
export function sorted<T>(items: Iterable<T>, query: URLSearchParams, down: 'DSC' | 'DESC' = 'DSC'): T[] {
  const oldestFirst = [...items]
  return word(query, 'sort_order', ['ASC', down]) === 'ASC' ? oldestFirst : oldestFirst.reverse()
}
