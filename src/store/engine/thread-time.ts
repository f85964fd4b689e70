/** Milliseconds that never run backwards and are the same in each thread, where `performance.now()` begins anew. */
export function threadTimeMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
