import { EventEmitter } from 'node:events'
import type { FastifyReply } from 'fastify'
import t from 'tap'
import { RateLimited } from '../../../src/domain/refusals/failures.ts'
import { lastingCalls } from '../../../src/http/limits/lasting-calls.ts'

function reply({ closed = false } = {}) {
  const raw = Object.assign(new EventEmitter(), { closed })
  const fields: Record<string, string> = {}
  const header = (name: string, value: string) => void Object.assign(fields, { [name]: value })
  return { raw, fields, reply: { raw, header } as unknown as FastifyReply }
}

t.test('a tenant has a thousand waits, and each that hangs up leaves its place', async t => {
  const lasting = lastingCalls({ maxStreams: 1, most: 5_000 })
  const open = Array.from({ length: 1_000 }, () => reply())
  for (const one of open) lasting.enter('waits', 'acme', one.reply)
  const late = reply()
  t.throws(() => lasting.enter('waits', 'acme', late.reply), RateLimited)
  t.match(late.fields, { 'ratelimit-policy': '"waits";q=1000;qu="concurrent-requests"', ratelimit: '"waits";r=0;t=5' })
  lasting.enter('streams', 'acme', reply().reply)
  lasting.enter('waits', 'globex', reply().reply)
  open[0]?.raw.emit('close')
  lasting.enter('waits', 'acme', reply().reply)
  t.throws(() => lasting.enter('waits', 'acme', reply().reply), RateLimited)
})

t.test('a call whose caller is gone already counts for nothing', async t => {
  const lasting = lastingCalls({ maxStreams: 1, most: 2 })
  for (let i = 0; i < 5; i++) lasting.enter('streams', 'acme', reply({ closed: true }).reply)
  const one = reply()
  lasting.enter('streams', 'acme', one.reply)
  t.throws(() => lasting.enter('streams', 'acme', reply().reply), RateLimited)
  one.raw.emit('close')
  lasting.enter('streams', 'acme', reply().reply)
  lasting.enter('streams', 'globex', reply().reply)
  t.throws(() => lasting.enter('waits', 'initech', reply().reply), RateLimited, 'that is all for all tenants together')
})
