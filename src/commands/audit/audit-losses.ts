import type { Gap } from '../../audit/proof/gaps.ts'
import type { KeyLoss } from '../../audit/proof/reigns.ts'
import type { Proof } from '../../audit/proof/verify.ts'

/** The losses on record, a sentence each. */
export function lossesOf({ gaps, losses }: Proof): string[] {
  const missing = gaps.filter(({ toSeq }) => toSeq !== null)
  return [...missing.map(tellGap), ...losses.map(tellLoss)]
}

/** Names the events that are gone, by whom and since when. */
export function tellGap({ seq, by, timeMs, log, fromSeq, toSeq }: Gap): string {
  const put = `${by} put an older store back at ${new Date(timeMs).toISOString()} (event ${seq})`
  if (toSeq === null) return put
  const missing = fromSeq === toSeq ? `event ${fromSeq}` : `events ${fromSeq} to ${toSeq}`
  return `${put}, and ${missing} of what ${log} was before ${fromSeq === toSeq ? 'is' : 'are'} missing`
}

function tellLoss({ seq, by, timeMs }: KeyLoss): string {
  return `${by} replaced a lost signing key at ${new Date(timeMs).toISOString()} (event ${seq})`
}

/** A gap as `--json` shows it. */
export function shownGap({ seq, by, timeMs, log, fromSeq, toSeq }: Gap) {
  return { seq, by, time: new Date(timeMs).toISOString(), log, missing_from: fromSeq, missing_to: toSeq }
}

export function shownLoss({ seq, by, timeMs, keys }: KeyLoss) {
  return { seq, by, time: new Date(timeMs).toISOString(), key_before: keys.before, key_after: keys.after }
}
