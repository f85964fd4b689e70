import { isRunning, type LivestreamWithKey } from '../../../domain/livestream.ts'
import { UpstreamMalformed } from '../../../domain/refusals/failures.ts'
import { type ListForm, path, readLivestreamList, type Unread } from '../../contract/contract.ts'
import type { RunningLivestreams, VendorHabits } from '../../provider.ts'
import type { Send } from '../../transport/call.ts'

/** Programs ask for so many a page, and get them (contract#page-size); the vendor publishes no maximum. */
const perPage = 100
/** Pages of a list. A vendor that never comes to an end is no proof that nothing runs. */
const mostPages = 20
/** Times that a list is read from its first page. */
const mostTries = 3

interface Asking {
  send: Send
  habits: Pick<VendorHabits, 'countsBeyondPage' | 'noteCountedBeyondPage'>
}

/**
 * All that runs in the account. INVOKED before LIVE: what goes on air between the two questions is in the first list, and the
 * other way round it would be in neither.
 */
export async function findRunning(asking: Asking, signal: AbortSignal): Promise<RunningLivestreams> {
  const running = new Map<string, LivestreamWithKey>()
  const unreadIn = new Set<string>()
  for (const status of ['INVOKED', 'LIVE'] as const) {
    const { entries, form } = await wholeList(asking, status, signal)
    // A vendor may not know the filter. L1 doesn't (contract#l1-lists), and what is OFFLINE in its lists does not run.
    for (const entry of entries) {
      if (!('status' in entry)) unreadIn.add(entry.meeting_id)
      else if (isRunning(entry.status)) running.set(entry.id, entry)
    }
    if (form === 'L1') break
  }
  return { livestreams: [...running.values()], unreadIn }
}

interface WholeList {
  entries: Iterable<LivestreamWithKey | Unread>
  form: ListForm
}

/**
 * Reads each page until the last one. A livestream that begins or ends meanwhile moves others from page to page: then all is read again.
 * @throws UpstreamMalformed when there is no end to it
 */
async function wholeList(asking: Asking, status: string, signal: AbortSignal): Promise<WholeList> {
  for (let tries = 0; tries < mostTries; tries++) {
    const list = await readPages(asking, status, signal)
    if (list !== null) return list
  }
  throw endless()
}

/** Null when the pages do not fit together. */
async function readPages({ send, habits }: Asking, status: string, signal: AbortSignal): Promise<WholeList | null> {
  const found = new Map<string, LivestreamWithKey | Unread>()
  let wholeTotal: number | undefined
  let target = `status=${status}&page_no=1&per_page=${perPage}`
  for (let pageNo = 1; pageNo <= mostPages; pageNo++) {
    const { body } = await send({ method: 'GET', path: `${path`/livestreams`}?${target}`, signal })
    const { livestreams, unread, form, total } = readLivestreamList(body)
    const shown = livestreams.length + unread.length
    // Some vendors count no more than the page.
    const countsMore = total !== undefined && total > shown
    if (countsMore) habits.noteCountedBeyondPage()
    if (pageNo === 1 && countsMore) wholeTotal = total
    if (wholeTotal !== undefined && total !== wholeTotal) return null
    const before = found.size
    for (const entry of [...livestreams, ...unread]) found.set(entry.id, entry)
    // A vendor may give fewer a page than it was asked for: then its count tells only where it is known to be of all.
    const isCounted = total !== undefined && found.size >= total && habits.countsBeyondPage && shown < perPage
    if (shown === 0 || isCounted) return found.size < (total ?? 0) ? null : { entries: found.values(), form }
    // The same page again: it will not become another one, and what is behind it is not known.
    if (found.size === before) return null
    target = nextPage(status, form, pageNo, found.size)
  }
  throw endless()
}

function endless(): Error {
  return new UpstreamMalformed({ cause: new Error('the list of livestreams does not come to its end') })
}

/** L1 has other words for it (contract#l1-lists), and the form that shows one livestream at a time has as many pages as livestreams. */
function nextPage(status: string, form: ListForm, pageNo: number, seen: number): string {
  if (form === 'L1') return `limit=${perPage}&offset=${seen}`
  return `status=${status}&page_no=${pageNo + 1}&per_page=${form === 'one' ? 1 : perPage}`
}
