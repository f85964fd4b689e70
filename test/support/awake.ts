import type { TestContext } from './gateway.ts'

/** Keeps the process alive until the test ends, which work in the background does not. */
export function stayAwake(t: TestContext): void {
  const timer = setInterval(() => {}, 1_000)
  t.teardown(() => clearInterval(timer))
}
