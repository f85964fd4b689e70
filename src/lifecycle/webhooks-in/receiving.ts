import { tellTrouble } from '../../domain/values/tell-trouble.ts'
import type { WebhookNotice } from '../../domain/webhooks/vendor-webhook.ts'
import type { WebhookCounts } from '../../store/tables/webhooks-in/counts.ts'
import type { Context } from '../context.ts'
import type { RunEnding } from '../ends/ends.ts'
import { type WhoseDeps, whose } from '../resources/whose.ts'
import { type Noticed, Noticing, type NoticingDeps } from './noticing.ts'
import { type VendorWebhooks, type WebhooksDeps, webhooks } from './take.ts'
import { WebhookTally } from './tally.ts'

export interface ReceivingDeps
  extends Pick<Context, 'clock' | 'log' | 'bounded' | 'observer'>,
    Pick<WebhooksDeps, 'deliveries'>,
    Pick<NoticingDeps, 'whatRuns' | 'refresh' | 'makeKnown' | 'ending'>,
    Omit<WhoseDeps, 'clock' | 'livestreams'> {
  livestreams: WebhooksDeps['livestreams'] & WhoseDeps['livestreams']
  counts: Pick<WebhookCounts, 'add'>
  /** Ends runs whose meeting has ended, and knows those that go on. */
  ends: Pick<RunEnding, 'noticed' | 'openRunsOf'>
}

/** Webhooks of vendors, and what looks after them. */
export interface ReceivingWebhooks extends VendorWebhooks {
  /** Writes down what was counted. */
  close(): Promise<void>
}

/** Puts together what takes webhooks, counts them, and looks at what they tell of. */
export function receivingWebhooks(deps: ReceivingDeps): ReceivingWebhooks {
  const tally = new WebhookTally(deps)
  const noticing = new Noticing({ ...deps, openRunsOf: deps.ends.openRunsOf, whose: whose(deps) })
  const noticed: Noticed = async notice => {
    const ofMeeting = meetingNews(notice)
    if (ofMeeting !== null)
      await deps.ends
        .noticed(ofMeeting)
        .catch(
          tellTrouble(deps.log, 'warn', { event: 'vendor_webhook_unseen' }, 'nobody could look after news of a meeting')
        )
    return noticing.noticed(notice)
  }
  return { ...webhooks({ ...deps, tally, noticed }), close: () => tally.close() }
}

/** News of a session of a meeting; null where a webhook tells of something else. */
function meetingNews({ upstream, meetingId, sessionId, event }: WebhookNotice) {
  if (event !== 'meeting.started' && event !== 'meeting.ended') return null
  return meetingId === null || sessionId === null ? null : ({ upstream, meetingId, sessionId, event } as const)
}
