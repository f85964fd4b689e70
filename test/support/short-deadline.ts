import { manualClock } from './clock.ts'
import { gateway, type TestContext } from './gateway.ts'

/**
 * For a test whose calls must be too late, as soon as that is possible: a deadline that comes early, but for no call that the vendor
 * answers. How long such calls take on this machine is seen in the same run.
 */
export async function shortDeadlineMs(t: TestContext): Promise<number> {
  const clock = manualClock()
  const { asAcme, meeting, close } = await gateway(t, {
    clock,
    slowDisk: true,
    config: { deadlineMs: 60_000 }
  })
  let slowestMs = 0
  for (let round = 0; round < 3; round++) {
    for (const path of ['livestreams', 'active-livestream/stop']) {
      const before = performance.now()
      const { statusCode } = await asAcme('POST', `/v2/meetings/${meeting}/${path}`)
      if (statusCode >= 300) throw new Error(`a calm ${path} was answered ${statusCode}`)
      slowestMs = Math.max(slowestMs, performance.now() - before)
    }
    clock.advance(1_000) // stops are spaced by so much
  }
  await close()
  return Math.round(200 + 5 * slowestMs)
}
