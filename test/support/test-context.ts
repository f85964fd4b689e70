/** The part of tap's `t` that helpers use. */
export interface TestContext {
  teardown(fn: () => unknown): void
  testdir(): string
}
