/** Texts that must not come back in the vendor's words, which are kept in logs, audit events and operations. */
export interface Own {
  /** The body of the call: each text in it is the caller's. */
  sent?: object | undefined
  /** The call's path, relative: the ids in it are the caller's to know. */
  path: string
  /** Credentials, and ids of organisation, account and app. */
  secrets: readonly string[]
}

/** Longest part of a refusal that is read: it bounds what cleaning costs. */
const readAtMost = 2_000
const keptAtMost = 300
/** Length of a piece that is enough to tell a value by. */
const pieceLength = 8

const uuid = /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/gi
/** Each hides what it finds: what may be a key, or leads somewhere. */
const keyLike = [
  uuid,
  /\b[a-z][a-z0-9+.-]{1,20}:\/\/\S+/gi,
  /\beyJ[\w-]*(?:\.[\w-]*)*/g,
  /\b(?:bearer|basic)\s+\S+/gi,
  /\b[spr]k_\S+/gi,
  /(?:key|token|secret|password|authorization)["']?\s*[:=]\s*\S+/gi,
  /[^\s@]{1,100}@\S+/g
]
const longRun = /[\w+/-]{12,}={0,2}/g
/** Long, but words: `session_keep_alive_time_in_secs`, `/active-livestream/stop`, `ALL_PARTICIPANTS_LEFT`. */
const isWords = /^\/?(?:[A-Z]?[a-z]{1,14}|[A-Z]{1,15})(?:[_/-](?:[A-Z]?[a-z]{1,14}|[A-Z]{1,15}))*\/?$/
/** Without a digit it is a key from so many letters on. */
const isKey = (run: string): boolean => (run.length >= 16 ? !isWords.test(run) : /\d/.test(run) && /[a-z]/i.test(run))
const quoted = /["'`“‘«]([^"'`“”‘’«»]{2,200})["'`”’»]/g

/** Why the vendor has refused a call, cleaned; undefined when it did not say. */
export function reasonOf(body: unknown, own: Own): string | undefined {
  return cleaned(wordsOf(body).join('; '), own) || undefined
}

/** The words of a refusal, in each of the forms that vendors and their edge have (contract#refusal-forms, contract#edge-errors). */
export function wordsOf(body: unknown): string[] {
  const errors = at(body, 'errors')
  if (Array.isArray(errors)) return errors.slice(0, 10).flatMap(complaintOf)
  const said = [at(body, 'message'), at(body, 'error', 'message'), at(body, 'error')]
  const words = said.find((one): one is string => typeof one === 'string' && one.trim() !== '')
  return words === undefined ? [] : [words.slice(0, readAtMost + 1)]
}

function complaintOf(complaint: unknown): string[] {
  const chain = at(complaint, 'error_chain')
  const said = [at(complaint, 'code'), at(complaint, 'message')].filter(
    one => typeof one === 'string' || typeof one === 'number'
  )
  return [said.join(' '), ...(Array.isArray(chain) ? chain.slice(0, 10).map(one => complaintOf(one)[0] ?? '') : [])]
}

/** The first words of a refusal, without control characters, and with `…` for whatever is somebody's own or looks like a key. */
export function cleaned(words: string, { sent, path, secrets }: Own): string {
  const text = plain(words.slice(0, readAtMost))
  const low = lower(text)
  const hidden = new Uint8Array(text.length)
  const hide = (from: number, length: number): void => void hidden.fill(1, from, from + length)

  const values = [...textsIn(sent), ...secrets].flatMap(formsOf)
  for (const value of values) for (const from of placesOf(value, low)) hide(from, value.length)
  for (const from of piecesIn(low, values)) hide(from, pieceLength)
  for (const { index, 1: part = '' } of low.matchAll(quoted))
    if (values.some(value => value.includes(part))) hide(index + 1, part.length)

  // The ids that the call itself has named stay, and end whatever stands beside them.
  const ids = path.match(uuid)?.map(id => id.toLowerCase()) ?? []
  const rest = text.replace(uuid, id => (ids.includes(id.toLowerCase()) ? ' '.repeat(id.length) : id))
  for (const pattern of keyLike) for (const { index, 0: found } of rest.matchAll(pattern)) hide(index, found.length)
  for (const { index, 0: found } of rest.matchAll(longRun)) if (isKey(found)) hide(index, found.length)

  const value = low.indexOf('with value')
  if (value >= 0) hide(value + 'with value'.length, text.length)
  // The last word before the cut may be a half of something.
  if (words.length > readAtMost) hide(Math.max(0, text.lastIndexOf(' ')), text.length)
  return short(visible(text, hidden))
}

function visible(text: string, hidden: Uint8Array): string {
  let shown = ''
  for (let i = 0; i < text.length; i++) {
    if (hidden[i] === 0) shown += text[i]
    else if (hidden[i - 1] !== 1) shown += '…'
  }
  return shown.toWellFormed().trim()
}

function short(text: string): string {
  return text.length <= keptAtMost ? text : `${text.slice(0, keptAtMost - 1).toWellFormed()}…`
}

/** One line without anything that a terminal, or an eye, could be deceived by. */
function plain(text: string): string {
  const line = text.toWellFormed().replace(/\p{Cf}/gu, '')
  return line.replace(/[\p{Cc}\p{Z}]+/gu, ' ').trim()
}

/** Each letter stays where it is, also those whose small form is longer. */
function lower(text: string): string {
  return text.replace(/[A-Z\u0080-\uffff]/g, letter => {
    const small = letter.toLowerCase()
    return small.length === 1 ? small : letter
  })
}

function* textsIn(value: unknown): Generator<string> {
  if (typeof value === 'string') yield value
  else if (typeof value === 'object' && value !== null) for (const one of Object.values(value)) yield* textsIn(one)
}

/** Forms of a text: as it was sent, and as it may be quoted. */
function formsOf(text: string): string[] {
  const escaped = JSON.stringify(text).slice(1, -1)
  const forms = [text, escaped, encodeURIComponent(text.toWellFormed())].map(form => lower(plain(form)))
  return [...new Set(forms)].filter(form => form !== '')
}

/** Places at which a value stands. A short one counts as a whole word alone, since it is a part of many. */
function* placesOf(value: string, text: string): Generator<number> {
  const isShort = value.length < 4
  for (let from = text.indexOf(value); from >= 0; from = text.indexOf(value, from + 1)) {
    const around = (text[from - 1] ?? ' ') + (text[from + value.length] ?? ' ')
    if (!isShort || !/[\p{L}\p{N}]/u.test(around)) yield from
  }
}

/** Places at which a piece of any of these values stands. */
function piecesIn(text: string, values: readonly string[]): number[] {
  const places = new Map<string, number[]>()
  for (let i = 0; i + pieceLength <= text.length; i++) {
    const piece = text.slice(i, i + pieceLength)
    const known = places.get(piece)
    if (known === undefined) places.set(piece, [i])
    else known.push(i)
  }
  const found: number[] = []
  for (const value of values)
    for (let i = 0; i + pieceLength <= value.length && places.size > 0; i++) {
      const piece = value.slice(i, i + pieceLength)
      found.push(...(places.get(piece) ?? []))
      // Each once: a value may have the same piece a thousand times.
      places.delete(piece)
    }
  return found
}

/** Reads a value in an answer by the names that lead to it, however the answer is made; undefined when nothing stands there. */
export function at(body: unknown, ...names: string[]): unknown {
  return names.reduce<unknown>(
    (value, name) =>
      typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined,
    body
  )
}
