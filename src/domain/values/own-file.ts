/** A key, a note, a record or a list of ours comes nowhere near it. */
const maxBytes = 1024 * 1024

/** @throws Error for what is no file (a pipe has no end, and a reader of it none either), or much too large */
export function checkFile(file: string, stats: { isFile(): boolean; size: number }): void {
  if (!stats.isFile()) throw new Error(`${file} is no regular file`)
  if (stats.size > maxBytes) throw new Error(`${file} is larger than 1 MiB`)
}
