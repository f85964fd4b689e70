import { createServer } from 'node:http'
import { listen } from '../listen.ts'
import type { TestContext } from '../test-context.ts'

/** A span as it came, with the parts that tests look at. */
export interface CollectedSpan {
  name: string
  traceId: string
  spanId: string
  parentSpanId?: string
  kind: number
  status: { code?: number }
  links: { traceId: string; spanId: string }[]
  facts: Record<string, unknown>
}

export interface Collector {
  url: string
  /** All that came, in order of arrival. */
  spans(): CollectedSpan[]
  /** The spans of that name. */
  named(name: string): CollectedSpan[]
  /** All bytes that came, with their header fields. */
  text(): string
  /** The status of its answers from now on. */
  status: number
}

interface Sent {
  resourceSpans: { scopeSpans: { spans: (Omit<CollectedSpan, 'facts'> & { attributes: Attribute[] })[] }[] }[]
}

interface Attribute {
  key: string
  value: Record<string, unknown>
}

/** A collector of traces on a port of its own, which takes OTLP over HTTP. */
export async function collector(t: TestContext): Promise<Collector> {
  const spans: CollectedSpan[] = []
  let text = ''
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString()
    text += `${request.method} ${request.url} ${JSON.stringify(request.headers)}\n${body}\n`
    response.writeHead(collector.status, { 'content-type': 'application/json' })
    // One that refuses says to whom, with the credential that came.
    response.end(collector.status === 200 ? '{}' : JSON.stringify(request.headers))
    if (collector.status === 200) spans.push(...spansIn(JSON.parse(body)))
  })
  const port = await listen(t, server)
  const collector: Collector = {
    url: `http://127.0.0.1:${port}/v1/traces`,
    status: 200,
    spans: () => spans,
    named: name => spans.filter(span => span.name === name),
    text: () => text
  }
  return collector
}

function spansIn({ resourceSpans }: Sent): CollectedSpan[] {
  const sent = resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
  return sent.map(({ attributes, links = [], ...span }) => ({
    ...span,
    links,
    facts: Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
  }))
}
