import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { isFigure, largestFigure } from '../../domain/analytics.ts'
import type { Paging } from '../../domain/values/paging.ts'

const asText = /^\d{1,15}(\.\d{1,20})?$/

/**
 * A figure of the vendor's, a number or in quotes as in two of its schemas. Anything that is no number, or out of all bounds, is left out:
 * nobody may be kept from seeing whether something is live by a statistic.
 */
export function figureOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && asText.test(value) ? Number(value) : value
  // JSON has a zero below zero as well.
  return isFigure(number) ? Math.abs(number) : undefined
}

/** The named figures that are there. */
export function figures<K extends string>(from: { [N in K]?: unknown }, names: readonly K[]): { [N in K]?: number } {
  const found = names.map(name => [name, figureOf(from[name])] as const)
  return Object.fromEntries(found.filter(([, figure]) => figure !== undefined)) as { [N in K]?: number }
}

const Count = Type.Integer({ minimum: 0, maximum: largestFigure })
const isPaging = Compile(Type.Object({ total_count: Count, start_offset: Count, end_offset: Count }))

/** The first of these that is the vendor's paging; undefined when none is. */
export function pagingOf(...candidates: unknown[]): Paging | undefined {
  const paging = candidates.find(one => isPaging.Check(one)) as Paging | undefined
  if (paging === undefined) return undefined
  const { total_count, start_offset, end_offset } = paging
  return { total_count, start_offset, end_offset }
}

/** Paging of a page whose answer has none. */
export function pageOf(items: unknown[]): Paging {
  return { total_count: items.length, start_offset: Math.min(1, items.length), end_offset: items.length }
}
