import type { Answer } from '../answers.ts'
import type { Routes } from '../routes/route.ts'
import type { Allowance } from '../state/quota.ts'
import type { World } from '../state/state.ts'
import { dyte } from './dyte.ts'
import { realtimekit } from './realtimekit.ts'

/** How one vendor's API is reached and refuses, over the same state as the other's (contract#generations). */
export interface Dialect {
  /** The path of the address that an operator configures. */
  readonly basePath: string
  /** The path under which the operations stand. */
  readonly apiPath: string
  /** The answer to a request that gets no further than the door; undefined lets it pass. */
  refusal(path: string, authorization: string | undefined): Answer | undefined
  /** The answer where there is no operation. */
  noRoute(method: string, path: string): Answer
  /** The 429 of the vendor's edge. */
  tooMany(retryAfterSeconds: number): Answer
  /** What every answer tells of the quota. */
  limitFields(allowance: Allowance): Record<string, string>
  /** Operations outside of `apiPath`, by their whole path. */
  readonly beside: Routes
  /** Whether the vendor has this operation of L1 or L2 (contract#operations), e.g. `PUT /livestreams/{id}/enable`. */
  offers(operation: string): boolean
}

export function dialectOf(world: World): Dialect {
  return world.settings.vendor === 'dyte' ? dyte(world) : realtimekit(world)
}

/** The path relative to the operations' address, with its slash; null outside of it. */
export function pathIn({ apiPath }: Dialect, path: string): string | null {
  return path.startsWith(`${apiPath}/`) ? path.slice(apiPath.length) : null
}
