import { randomUUID } from 'node:crypto'
import t from 'tap'
import { basic, send, simulate } from '../../support/simulator/helper.ts'

for (const vendor of ['dyte', 'realtimekit'] as const) {
  t.test(`credentials are rotated while it runs: ${vendor}`, async t => {
    const { simulator, call } = await simulate(t, { vendor })
    const first = vendor === 'dyte' ? simulator.key : simulator.token
    const [second, third] = [randomUUID(), randomUUID()]
    const statuses = async (): Promise<number[]> => {
      const answers: number[] = []
      for (const one of [first, second, third]) {
        const authorization = vendor === 'dyte' ? basic(simulator.org, one) : `Bearer ${one}`
        answers.push((await call('GET', '/meetings', undefined, { authorization })).status)
      }
      return answers
    }
    const no = vendor === 'dyte' ? 401 : 403
    t.strictSame(await statuses(), [200, no, no])
    simulator.accept(first, second)
    t.strictSame(await statuses(), [200, 200, no])
    const told = await send(simulator, 'PUT', '/_simulator/credentials', { credentials: [second, third] })
    t.match(told, { status: 200, json: { success: true, data: { accepted: 2 } } })
    t.notOk(told.text.includes(second))
    t.strictSame(await statuses(), [no, 200, 200])
    simulator.accept()
    t.strictSame(await statuses(), [no, no, no])
  })

  t.test(`a credential that could never be sent is refused, and changes nothing: ${vendor}`, async t => {
    const { simulator, call } = await simulate(t, { vendor })
    t.throws(() => simulator.accept(randomUUID(), ''), RangeError)
    // @ts-expect-error a caller without types
    t.throws(() => simulator.accept(7), TypeError)
    for (const [body, message] of [
      [{}, '"credentials" must be an array'],
      [{ credentials: 'one' }, '"credentials" must be an array'],
      [{ credentials: [''] }, '"credential" must be a'],
      [{ credentials: [null] }, '"credential" must be a'],
      [{ credentials: [], key: 'x' }, '"key" is not known']
    ] as const) {
      t.match(await send(simulator, 'PUT', '/_simulator/credentials', body), {
        status: 400,
        json: { error: { message } }
      })
    }
    t.equal((await call('GET', '/meetings')).status, 200)
  })
}
