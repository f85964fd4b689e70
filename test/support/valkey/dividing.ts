/** Replicas that divide a vendor's quota in a real Valkey, on a clock that is moved: its scripts are told the time. */
import type { Redis } from 'iovalkey'
import { UpstreamBudget } from '../../../src/upstream/quota/budget.ts'
import type { Priority, Ticket } from '../../../src/upstream/quota/quota-use.ts'
import type { Valkey } from '../../../src/valkey/link.ts'
import { SharedQuota } from '../../../src/valkey/quota.ts'
import { epochKey, scripts } from '../../../src/valkey/scripts.ts'
import { manualClock } from '../clock.ts'
import { manualTiming } from '../timing.ts'

const timeKey = '{livegate}:time'
/** No loop of a replica comes oftener. */
const stepMs = 50
const toldTime = `(function()
  local ms = tonumber(redis.call('GET', '${timeKey}'))
  return { 1790000000 + math.floor(ms / 1000), (ms % 1000) * 1000 }
end)()`

export interface DividingReplica {
  budget: UpstreamBudget
  share: SharedQuota
  /** Sends a call, unless its budget refuses it. */
  call(priority: Priority): boolean
  /** It sends nothing any more, and nobody hears of its calls. */
  die(): void
  /** It reaches Valkey no more, or again. */
  cut(is: boolean): void
  /** It asks for more, as a call that was refused does. */
  ask(): Promise<void>
  readonly isDead: boolean
}

/** @param count as many replicas live, as each of them knows */
export async function dividing(client: Redis, count: number, { calls, seconds }: { calls: number; seconds: number }) {
  await client.flushall()
  const clock = manualClock()
  const timing = manualTiming(clock)
  const deadlineMs = 1_000
  const arrivals: { atMs: number; priority: Priority }[] = []
  const late: (() => Promise<unknown>)[] = []
  const underWay = new Set<Promise<unknown>>()
  let live = count
  let isAway = false
  let epoch = 'one'
  let session = 1
  await client.set(epochKey, epoch)

  const valkeyOf = (state: { isDead: boolean; isCut: boolean }): Valkey => ({
    get session() {
      return isAway || state.isCut ? null : session
    },
    get epoch() {
      return isAway || state.isCut ? null : epoch
    },
    get replicas() {
      return live
    },
    async ask(script, keys, args) {
      if (state.isDead) return null
      const all = [epochKey, ...keys]
      const [sentIn, { [script]: text }] = [epoch, scripts]
      const run = async (): Promise<unknown[] | null> => {
        const lua = text.replace("redis.call('TIME')", toldTime)
        // At the end of a test the server goes first.
        const [, answer] = await Promise.all([
          client.set(timeKey, clock.monotonic()),
          client.eval(lua, all.length, ...all, sentIn, ...args)
        ]).catch(() => [null, null])
        return answer as unknown[] | null
      }
      if (isAway || state.isCut) {
        // Those that were under way: after the loss nothing is sent.
        if (late.length < count) late.push(run)
        return null
      }
      const asked = run()
      underWay.add(asked)
      const answer = await asked
      underWay.delete(asked)
      // Older messages come after newer ones.
      for (const older of late.splice(0)) await older()
      return answer
    }
  })

  async function join(): Promise<DividingReplica> {
    const quota = { calls, seconds }
    const state = { isDead: false, isCut: false }
    const valkey = valkeyOf(state)
    const share = new SharedQuota({
      valkey,
      upstream: 'default',
      quota,
      deadlineMs,
      monotonic: clock.monotonic,
      timing
    })
    const budget = new UpstreamBudget({ quota, deadlineMs, clock, share })
    const unanswered: { endsAtMs: number; ticket: Ticket }[] = []
    const settle = (): void => {
      for (const one of unanswered.splice(0)) {
        if (one.endsAtMs > clock.monotonic()) unanswered.push(one)
        else one.ticket.answered()
      }
    }
    await share.begin(() => {
      settle()
      return budget.counted()
    })
    return {
      budget,
      share,
      get isDead() {
        return state.isDead
      },
      call(priority) {
        settle()
        if (state.isDead) return false
        try {
          const ticket = budget.admit({ tenantId: 'acme', priority })
          const nowMs = clock.monotonic()
          // It may arrive as late as its deadline, whatever has become of its replica.
          const tookMs = (arrivals.length * 379) % deadlineMs
          arrivals.push({ atMs: nowMs + tookMs, priority })
          unanswered.push({ endsAtMs: nowMs + tookMs, ticket })
          return true
        } catch {
          return false
        }
      },
      die() {
        state.isDead = true
      },
      cut(is) {
        state.isCut = is
      },
      ask: async () => {
        if (!state.isDead) await share.more()
      }
    }
  }

  return {
    clock,
    /** Time passes, and whatever is asked meanwhile is answered in the moment in which it is asked. */
    async pass(ms: number) {
      for (let left = ms; left > 0; left -= stepMs) {
        await timing.pass(Math.min(stepMs, left))
        while (underWay.size > 0) await Promise.all(underWay)
      }
    },
    join,
    /** Each of them knows that so many live. */
    live(replicas: number) {
      live = replicas
    },
    away(is: boolean) {
      isAway = is
      session += 1
    },
    /** All is lost, as when it was killed. */
    async empty() {
      await client.flushall()
      epoch = `${epoch}+`
      session += 1
      await client.set(epochKey, epoch)
    },
    /** Most calls that the vendor has seen in a window, but for stops where they are left out. */
    most(isCounted = (priority: Priority): boolean => priority !== 'stop'): number {
      const times = arrivals.filter(({ priority }) => isCounted(priority)).map(({ atMs }) => atMs)
      times.sort((a, b) => a - b)
      let [first, most] = [0, 0]
      times.forEach((atMs, i) => {
        while (atMs - (times[first] ?? 0) >= seconds * 1_000) first += 1
        most = Math.max(most, i - first + 1)
      })
      return most
    },
    sent: () => arrivals.length
  }
}
