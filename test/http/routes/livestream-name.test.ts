import t from 'tap'
import { gateway } from '../../support/gateway.ts'

const { asAcme, simulator, meeting } = await gateway(t)
const sent = () => JSON.parse(simulator.journal.findLast(({ method }) => method === 'POST')?.body ?? '{}').name

t.test('a name of any letters is passed on: what the vendor accepts is for the vendor to say', async t => {
  for (const name of ['Friday show', 'Été', 'a/b', '', 'x'.repeat(1_000)]) {
    for (const path of [`/v2/meetings/${meeting}/livestreams`, '/v2/livestreams']) {
      simulator.failNext({ match: { method: 'POST' }, status: 400 })
      await asAcme('POST', path, { name })
      t.equal(sent(), name, path)
    }
  }
})

t.test('one that is longer than any show needs is not: a page of such names could not be read any more', async t => {
  for (const path of [`/v2/meetings/${meeting}/livestreams`, '/v2/livestreams']) {
    const reply = await asAcme('POST', path, { name: 'x'.repeat(1_001) })
    t.equal(reply.statusCode, 400)
    t.match(reply.json().error.details, [{ field: 'body.name', message: 'must not have more than 1000 characters' }])
  }
})

t.test('a value that is no text is no name', async t => {
  for (const name of [7, ['a'], { a: 1 }, true]) {
    const reply = await asAcme('POST', '/v2/livestreams', { name })
    t.match(reply.json().error.details, [{ field: 'body.name', message: 'must be string' }])
  }
})
