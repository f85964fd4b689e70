/** The tables of stop orders (docs/operating.md#in-an-incident). */
export interface StopOrderTables {
  stop_orders: StopOrdersTable
  ordered_stops: OrderedStopsTable
}

/** An operator's order to stop what is live. */
export interface StopOrdersTable {
  id: string
  reason: string
  /** Null: of all tenants. */
  tenant_id: string | null
  operator: string
  request_id: string
  created_at: number
  /** The ordinal of the last run that was there when it was given. */
  last_run: number
  /** When it was known what the order is about. */
  listed_at: number | null
  /** JSON: vendor accounts that could not be asked what runs there. */
  unasked: string
  /** JSON: runs that no tenant has. */
  unowned: string
  ended_at: number | null
  /** The process that carries it out, and until when no other may take it. */
  owner: string | null
  lease_until: number | null
}

/** A meeting, or a livestream without one, that such an order is to stop. */
export interface OrderedStopsTable {
  order_id: string
  upstream: string
  /** The meeting's id, or the livestream's where it has none, or where the meeting has several. */
  place: string
  tenant_id: string
  meeting_id: string | null
  livestream_id: string | null
  run_id: string | null
  /** The stop that was recorded for it: from then on that tells how it stands. */
  operation_id: string | null
  state: string
  reason: string | null
}
