/** How a time ends that names its zone. */
const zone = /(?:Z|GMT|UTC|[+-]\d{2}:?\d{2})$/i

/**
 * A time of the vendor's in epoch ms; NaN where there is none. One without its zone tells nothing: it would be another moment on each
 * machine, and what began since a stop could look older than it.
 */
export function vendorTimeMs(text: string | null | undefined): number {
  return text != null && zone.test(text) ? Date.parse(text) : Number.NaN
}
