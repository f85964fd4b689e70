import type { FastifyInstance } from 'fastify'
import type { LiveWaits } from '../lifecycle/push/live-waits.ts'
import type { VendorWebhooks } from '../lifecycle/webhooks-in/take.ts'
import { type AnalyticsDeps, analyticsRoutes } from './analytics/index.ts'
import { FailureAnswer } from './answer.ts'
import type { TypeBox } from './api.ts'
import { type GatewayDeps, gatewayRoutes } from './gateway/index.ts'
import { type Health, health } from './health.ts'
import { type LivestreamDeps, livestreamRoutes } from './livestreams/index.ts'
import { type MeetingDeps, meetingRoutes } from './meetings/index.ts'
import { type ParticipantDeps, participantRoutes } from './participants/index.ts'
import { type SessionDeps, sessionRoutes } from './sessions/index.ts'
import { receiveWebhook, type WebhookDeps } from './webhooks/receive-webhook.ts'

/** Services and limits that the vendor's operations call. */
export type VendorDeps = LivestreamDeps & SessionDeps & AnalyticsDeps & MeetingDeps & ParticipantDeps

/** Services below HTTP that operations call. */
export type Services = Omit<VendorDeps, 'spendWrite'> &
  Pick<GatewayDeps, 'auditEvents' | 'ledger' | 'events' | 'changeRun' | 'runUse' | 'webhook' | 'rotateKey'> & {
    liveWaits: Pick<LiveWaits, 'until'>
    webhooks: VendorWebhooks
  }

export type { Health }

/** Registers the operations that the vendor has as well, in the order of the documentation. */
export function vendorRoutes(scope: FastifyInstance, deps: VendorDeps): void {
  const api = scope.withTypeProvider<TypeBox>()
  livestreamRoutes(api, deps)
  sessionRoutes(api, deps)
  analyticsRoutes(api, deps)
  meetingRoutes(api, deps)
  participantRoutes(api, deps)
}

/** Registers the operations that only Livegate has. */
export function ownRoutes(scope: FastifyInstance, deps: GatewayDeps): void {
  gatewayRoutes(scope.withTypeProvider<TypeBox>(), deps)
}

/** Registers what vendors call. */
export function webhookRoutes(scope: FastifyInstance, deps: WebhookDeps): void {
  receiveWebhook(scope.withTypeProvider<TypeBox>(), deps)
}

/** Registers what orchestrators ask without a key, and the schema that all refusals share. */
export function keylessRoutes(app: FastifyInstance, deps: Health): void {
  app.addSchema(FailureAnswer)
  health(app.withTypeProvider<TypeBox>(), deps)
}
