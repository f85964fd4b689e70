import { once } from 'node:events'
import { request as ask, createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import type { TestContext } from '../gateway.ts'
import { listen } from '../listen.ts'

/** A call of the vendor as it went over the wire, with its answer. */
export interface RecordedCall {
  method: string
  target: string
  headers: Record<string, string | string[] | undefined>
  body: string
  status: number
  answer: unknown
}

/** Passes calls on to a vendor and keeps what was said. */
export async function recording(t: TestContext, vendor: string): Promise<{ url: string; calls: RecordedCall[] }> {
  const calls: RecordedCall[] = []
  const { origin, pathname } = new URL(vendor)
  const server = createServer(async (request, response) => {
    const { method = '', url: target = '', headers } = request
    const body = await text(request)
    const passed = ask(origin + target, { method, headers, agent: false })
    passed.end(body)
    const [answered] = await once(passed, 'response').catch(() => [null])
    // A call that the vendor leaves without an answer stays without one.
    if (answered === null) return response.destroy()
    const said = await text(answered)
    const answer: unknown = said === '' ? undefined : JSON.parse(said)
    calls.push({ method, target, headers, body, status: answered.statusCode, answer })
    response.writeHead(answered.statusCode, { 'content-type': 'application/json' }).end(said)
  })
  const port = await listen(t, server)
  return { url: `http://127.0.0.1:${port}${pathname}`, calls }
}
