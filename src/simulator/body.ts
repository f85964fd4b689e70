import type { IncomingMessage } from 'node:http'

const maxBodyBytes = 1_048_576

/** The body as text; null when it is too large, which is read to its end all the same, so that the answer can arrive. */
export async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size <= maxBodyBytes) chunks.push(chunk)
  }
  return size <= maxBodyBytes ? Buffer.concat(chunks).toString() : null
}
