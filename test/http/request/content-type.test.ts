import t from 'tap'
import { gateway } from '../../support/gateway.ts'

/** Spellings of JSON's type: spaces, case and parameters are the sender's business. */
const spellings = [
  'application/json',
  'application/json; charset=utf-8',
  'application/json;charset=UTF-8',
  'application/json ;charset=utf-8',
  'APPLICATION/JSON',
  'Application/Json',
  'application/json;',
  'application/json; ',
  'application/json;;',
  'application/json; charset',
  'application/json; charset="utf-8"',
  'application/json; charset=us-ascii',
  'application/json; a=b; c=d',
  ' application/json',
  '\tapplication/json',
  'application/json\t',
  'application/json\t; charset=utf-8',
  'application/json; =utf-8',
  'application/json\u000b;',
  `application/json; ${'a=b; '.repeat(500)}`
]

/** Everything else, however near. Among them what a page may send to another origin without asking first. */
const others = [
  'text/plain',
  'text/plain; charset=utf-8',
  'text/plain;application/json',
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'multipart/form-data; boundary=x',
  'application/json garbage',
  'application/json\tgarbage',
  'application/json, text/plain',
  'text/plain, application/json',
  'application/json,application/json',
  'application/json/xml',
  'application/jsonx',
  'xapplication/json',
  'application/jso',
  'application/json+ld',
  'application/ld+json',
  'application/vnd.api+json',
  'application/problem+json',
  'application/merge-patch+json',
  'application/*+json',
  'text/json',
  'text/html',
  '*/*',
  'application/*',
  '*',
  '',
  'json',
  'application',
  'application/',
  '/json',
  'application//json',
  'application\\json',
  'application/octet-stream',
  'application/json\u0000',
  'application/json#',
  'application/json?',
  '"application/json"',
  "application/json'",
  'application/json%20',
  'application%2fjson',
  'a'.repeat(5_000)
]

t.test('no spelling of the content type leads a body past its check', async t => {
  const { app, withKey, simulator, meeting } = await gateway(t)
  const { key } = await withKey('acme', ['meetings:write', 'livestreams:start'])
  const wrong = '{"title":"a","titel":1}'
  const send = (url: string, type: string, payload: string, method: 'POST' | 'PATCH' = 'POST') =>
    app.inject({ method, url, headers: { authorization: `Bearer ${key}`, 'content-type': type }, payload })

  t.equal(new Set([...spellings, ...others]).size, 62)
  for (const type of spellings) {
    t.equal((await send('/v2/meetings', type, wrong)).statusCode, 400, `checked: ${JSON.stringify(type.slice(0, 60))}`)
  }
  for (const type of others) {
    for (const body of [wrong, '{"title":"a"}']) {
      t.equal((await send('/v2/meetings', type, body)).statusCode, 415, JSON.stringify(type.slice(0, 60)))
    }
  }
  t.equal((await send(`/v2/meetings/${meeting}/livestreams`, 'text/plain', '{}')).statusCode, 415)
  t.equal((await send(`/v2/meetings/${meeting}`, 'text/plain', '{"title":"a"}', 'PATCH')).statusCode, 415)
  t.strictSame(simulator.journal, [], 'the vendor hears of none')
})

t.test('a body in another charset, or in a coding, is refused with the field that says so', async t => {
  const { asAcme, meeting, simulator } = await gateway(t)
  const start = (headers: Record<string, string>) =>
    asAcme('POST', `/v2/meetings/${meeting}/livestreams`, '{}', { 'content-type': 'application/json', ...headers })
  for (const charset of ['utf-16', 'iso-8859-1', '"windows-1252"', 'utf-8x']) {
    const { statusCode, ...reply } = await start({ 'content-type': `application/json; charset=${charset}` })
    t.equal(statusCode, 415, charset)
    t.strictSame(reply.json().error.details, [{ field: 'headers.content-type', message: 'charset must be utf-8' }])
  }
  for (const coding of ['gzip', 'br', 'GZIP', 'identity, gzip', 'x']) {
    const { statusCode, ...reply } = await start({ 'content-encoding': coding })
    t.equal(statusCode, 415, coding)
    t.strictSame(reply.json().error.details, [{ field: 'headers.content-encoding', message: 'must be identity' }])
  }
  t.strictSame(simulator.journal, [], 'the vendor hears of none')
  t.equal((await start({ 'content-encoding': 'Identity' })).statusCode, 201)
})
