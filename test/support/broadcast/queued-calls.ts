import { plenty } from '../config.ts'
import type { Client, Reply, TestContext, WorldOptions } from '../gateway.ts'
import { makeMeetings } from '../http/mutating.ts'
import { gatewayBehindDoor } from './door.ts'

/** A gateway behind a door, with meetings of acme whose starts and stops are counted. */
export async function queuedCalls(t: TestContext, options: WorldOptions = {}) {
  const world = await gatewayBehindDoor(t, {
    ...options,
    config: { writeLimit: plenty }
  })
  const { asAcme, simulator, store } = world
  return {
    ...world,
    /** A meeting that no test has used. */
    async aMeeting() {
      const [id = ''] = await makeMeetings(store, simulator, 'acme', 1)
      const startPath = `/v2/meetings/${id}/livestreams`
      const stopPath = `/v2/meetings/${id}/active-livestream/stop`
      const names: Record<string, string> = { [`POST ${startPath}`]: 'start', [`POST ${stopPath}`]: 'stop' }
      const before = simulator.journal.length
      return {
        id,
        start: (call: Client = asAcme, headers = {}) => call('POST', startPath, undefined, headers),
        stop: (call: Client = asAcme, headers = {}) => call('POST', stopPath, undefined, headers),
        /** Calls that went upstream about it, as `look`, `start` and `stop`. */
        sent: () =>
          simulator.journal
            .slice(before)
            .filter(({ target }) => target.includes(id))
            .map(({ method, target }) => names[`${method} ${target}`] ?? 'look'),
        isLive: () => simulator.livestreams().some(({ meeting_id, status }) => meeting_id === id && status !== 'IDLE')
      }
    }
  }
}

export function all(replies: Promise<Reply>[]): Promise<Reply[]> {
  return Promise.all(replies)
}

export function times<X>(count: number, make: (i: number) => X): X[] {
  return Array.from({ length: count }, (_, i) => make(i))
}
