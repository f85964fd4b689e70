/**
 * Stands for the package `process-on-spawn`, by which tap puts its loader, source maps and coverage into every process that a test starts:
 * it doubles what such a start costs. A test that wants to be measured says so (`measured` in `cli.ts`).
 */
export default {
  addListener(): void {}
}
