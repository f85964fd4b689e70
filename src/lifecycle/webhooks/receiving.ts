import type { WebhookCounts } from '../../store/tables/webhooks-in/counts.ts'
import type { Context } from '../context.ts'
import { Noticing, type NoticingDeps } from './noticing.ts'
import { type Webhooks, type WebhooksDeps, webhooks } from './receive.ts'
import { WebhookTally } from './tally.ts'
import { type WhoseDeps, whose } from './whose.ts'

export interface ReceivingDeps
  extends Pick<Context, 'clock' | 'log' | 'bounded'>,
    Pick<WebhooksDeps, 'deliveries'>,
    Pick<NoticingDeps, 'whatRuns' | 'refresh' | 'makeKnown' | 'ending'>,
    Omit<WhoseDeps, 'clock' | 'livestreams'> {
  livestreams: WebhooksDeps['livestreams'] & WhoseDeps['livestreams']
  counts: Pick<WebhookCounts, 'add'>
}

/** Webhooks of vendors, and what looks after them. */
export interface ReceivingWebhooks extends Webhooks {
  /** Writes down what was counted. */
  close(): Promise<void>
}

/** Puts together what takes webhooks, counts them, and looks at what they tell of. */
export function receivingWebhooks(deps: ReceivingDeps): ReceivingWebhooks {
  const tally = new WebhookTally(deps)
  const { noticed } = new Noticing({ ...deps, whose: whose(deps) })
  return { ...webhooks({ ...deps, tally, noticed }), close: () => tally.close() }
}
