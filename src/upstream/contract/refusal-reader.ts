/** Subject of a refusal that comes from before the vendor's API: a credential, a path without an operation, or something else. */
export type Complaint = 'credentials' | 'route' | 'other'

/** Tells a vendor's own refusals from those of its edge, and of anybody between the vendor and us. */
export interface RefusalReader {
  /** Null when the answer is not the edge's. */
  complaintIn(body: unknown): Complaint | null
  /** Whether a refusal is the vendor's own word: a proxy's page says 404 as well, and must not pass for "nothing is live". */
  isOwnWord(body: unknown): boolean
  /** The same of an answer that says "not there". */
  isOwnNo(body: unknown): boolean
}
