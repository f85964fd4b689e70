import type { StopOrder } from '../../store/tables/runs/stop-orders.ts'

export interface Log {
  info(facts: object, message: string): void
  error(facts: object, message: string): void
}

/** Things that the operational log tells of orders to stop. */
export function orderLog(log: Log) {
  return {
    unreadable(err: unknown) {
      log.error({ event: 'stop_orders_unreadable', err }, 'orders to stop could not be read')
    },
    stuck({ id }: StopOrder, err: unknown) {
      log.error({ event: 'stop_order_stuck', err, order: id }, 'an order to stop could not be carried on')
    },
    unrecorded({ id }: StopOrder, err: unknown) {
      log.error({ event: 'stop_order_unrecorded', err, order: id }, 'a stop of an order could not be recorded')
    },
    unasked({ id }: StopOrder, upstream: string, err: unknown) {
      const facts = { err, order: id, upstream }
      log.info(
        { event: 'stop_order_unasked', ...facts },
        'what runs at a vendor account could not be asked for an order'
      )
    },
    done({ id, reason }: StopOrder, counts: { stops: number; left: number }) {
      log.info({ event: 'stop_order_done', order: id, reason, ...counts }, 'an order to stop was carried out')
    }
  }
}
