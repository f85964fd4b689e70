import { readFileSync } from 'node:fs'

/** Linux: drawn anew at each boot, and the same in all containers of a machine. */
const bootIdFile = '/proc/sys/kernel/random/boot_id'

/**
 * The boot of the machine that this process runs in; null where the system doesn't tell. Times of the monotonic clock can be
 * compared within one boot alone.
 */
export function readBootId(file = bootIdFile): string | null {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return null
  }
}
