import { request as httpRequest } from 'node:http'
import { checkLimitFields } from './limit-fields.ts'

export interface Reply {
  statusCode: number
  headers: Record<string, string | string[] | undefined>
  body: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  json(): any
}

/** Calls the gateway over a real socket. A body that is an object is sent as JSON. Of a stream it waits for the first bytes alone. */
export type Client = (
  method: string,
  path: string,
  body?: object | string,
  headers?: Record<string, string>
) => Promise<Reply>

/** `node:http` and not `fetch`, since it sends the path byte for byte. Rejects when the answer's RateLimit fields are wrong. */
export function client(url: string, authorization: string | null): Client {
  const { hostname, port } = new URL(url)
  return (method, path, body, headers = {}) =>
    new Promise((resolve, reject) => {
      const text = typeof body === 'object' ? JSON.stringify(body) : body
      const request = httpRequest(
        {
          hostname,
          port,
          method,
          path,
          agent: false,
          headers: {
            ...(authorization !== null && { authorization }),
            ...(typeof body === 'object' && { 'content-type': 'application/json' }),
            ...(text !== undefined && { 'content-length': String(Buffer.byteLength(text)) }),
            ...headers
          }
        },
        answer => {
          let received = ''
          answer.setEncoding('utf8')
          answer.on('data', chunk => {
            received += chunk
          })
          answer.on('error', reject)
          // A stream has no end: its beginning is its answer.
          if (answer.headers['content-type']?.startsWith('text/event-stream') && method !== 'HEAD') {
            answer.once('data', () => answer.emit('end'))
            answer.once('end', () => request.destroy())
          }
          answer.once('end', () => {
            const { statusCode = 0, headers } = answer
            const reply = { statusCode, headers, body: received, json: () => JSON.parse(received) }
            try {
              // A browser's question before its call is nobody's call.
              if (method !== 'OPTIONS') checkLimitFields(path, reply)
              resolve(reply)
            } catch (error) {
              reject(error)
            }
          })
        }
      )
      request.on('error', reject)
      request.end(text)
    })
}

/** The body without the request id, which is the only part of two equal answers that differs. */
export function withoutRequestId({ body }: Reply): string {
  return body.replace(/"request_id":"[^"]*"/, '"request_id":""')
}
