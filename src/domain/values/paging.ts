import { type Static, Type } from 'typebox'

/** The vendor's paging beside `data` (contract#paging). Ours: offsets count from 1 and are 0 when the page is empty. */
export const Paging = Type.Object({
  total_count: Type.Integer({ minimum: 0, examples: [1] }),
  start_offset: Type.Integer({ minimum: 0, examples: [1] }),
  end_offset: Type.Integer({ minimum: 0, examples: [1] })
})
export type Paging = Static<typeof Paging>

/** A page that is asked for: the vendor publishes no defaults or maxima, so these are ours. */
export const PageQuery = {
  page_no: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 100_000, default: 1, description: 'Which page, the first is 1' })
  ),
  per_page: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 25, description: 'Items on a page' }))
}

export interface Page {
  pageNo: number
  perPage: number
}

export interface Paged<Item> {
  items: Item[]
  paging: Paging
}

/** Gives the `paging` of a page of `shown` items out of `total`. */
export function pagingOf({ pageNo, perPage }: Page, shown: number, total: number): Paging {
  const before = (pageNo - 1) * perPage
  return {
    total_count: total,
    start_offset: shown === 0 ? 0 : before + 1,
    end_offset: shown === 0 ? 0 : before + shown
  }
}
