import type { Gap } from '../audit/gaps.ts'
import type { KeyLoss } from '../audit/reigns.ts'
import type { Proof } from '../audit/verify.ts'

/** What is on record as lost, a sentence each. */
export function lossesOf({ gaps, losses }: Proof): string[] {
  const missing = gaps.filter(({ toSeq }) => toSeq !== null)
  return [...missing.map(tellGap), ...losses.map(tellLoss)]
}

/** Which events are gone, by whom and when. */
export function tellGap({ seq, by, timeMs, log, fromSeq, toSeq }: Gap): string {
  const put = `${by} put an older store back at ${new Date(timeMs).toISOString()} (event ${seq})`
  if (toSeq === null) return put
  const missing = fromSeq === toSeq ? `event ${fromSeq}` : `events ${fromSeq} to ${toSeq}`
  return `${put}, and ${missing} of what ${log} was before ${fromSeq === toSeq ? 'is' : 'are'} missing`
}

function tellLoss({ seq, by, timeMs }: KeyLoss): string {
  return `${by} replaced a lost signing key at ${new Date(timeMs).toISOString()} (event ${seq})`
}

/** As JSON. */
export function shownGap({ seq, by, timeMs, log, fromSeq, toSeq }: Gap) {
  return { seq, by, time: new Date(timeMs).toISOString(), log, missing_from: fromSeq, missing_to: toSeq }
}

export function shownLoss({ seq, by, timeMs, keys }: KeyLoss) {
  return { seq, by, time: new Date(timeMs).toISOString(), key_before: keys.before, key_after: keys.after }
}
