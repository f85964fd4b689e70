import t from 'tap'
import { createSimulator, type SimulatorOptions } from '../../../src/simulator/simulator.ts'
import { nobody, send } from '../../support/simulator/helper.ts'

const refused = async (options: object): Promise<Error> =>
  createSimulator(options as SimulatorOptions).then(
    async simulator => {
      await simulator.close()
      return new Error('was accepted')
    },
    error => error
  )

t.test('an option of the wrong kind is a TypeError that names it', async t => {
  const wrong = {
    vendor: null,
    host: 7,
    port: '80',
    org: null,
    key: 7,
    account: 7,
    app: 7,
    token: 7,
    badToken: 401,
    dropped: true,
    contract: 2,
    liveAfterMs: '2s',
    startWhileLive: 409,
    activeShowsStreamKey: 'yes',
    activeShowsEnded: 'yes',
    webhookTimes: '2',
    webhookDelayMs: '1',
    webhookOrder: 1,
    webhookRepeatId: true,
    webhookHeaders: 1,
    clockOffsetMs: '1',
    now: 1,
    journalLimit: '5',
    colour: 'red'
  }
  for (const [name, value] of Object.entries(wrong)) {
    const error = await refused({ [name]: value })
    t.type(error, TypeError, name)
    t.match(error.message, `"${name}"`)
  }
  t.type(await refused([]), TypeError)
})

t.test('an option out of range is a RangeError that says what would be in range', async t => {
  const wrong = {
    vendor: 'zoom',
    host: '',
    port: 65_536,
    org: 'with:colon',
    key: '',
    account: 'a'.repeat(31),
    app: 'my-app',
    token: 'with a space',
    badToken: '400',
    dropped: 'maybe',
    contract: 'L3',
    liveAfterMs: -1,
    startWhileLive: '201',
    activeDuringInvoked: '409',
    stopWithNothingLive: '500',
    stopRefusal: '200',
    nothingLive: '200',
    validation: '200',
    livestreamName: 'short',
    restartAfterMs: -1,
    restartRefusal: '404',
    stoppingForMs: -1,
    webhookTimes: 101,
    webhookDelayMs: -1,
    webhookOrder: 'reverse',
    webhookRepeatId: 'none',
    webhookHeaders: 'x',
    clockOffsetMs: 1e15,
    livestreamId: 'random',
    lists: 'both',
    participantPut: 'maybe',
    journalLimit: 0
  }
  for (const [name, value] of Object.entries(wrong)) {
    const error = await refused({ [name]: value })
    t.type(error, RangeError, name)
    t.match(error.message, `simulator options: "${name}" must be`)
  }
  t.match((await refused({ contract: 'L3' })).message, 'one of L1, L2')
  t.match((await refused({ port: 1.5 })).message, 'a whole number from 0 to 65535')
  t.match((await refused({ liveAfterMs: Number.NaN })).message, 'a number from 0 up')
})

t.test('an option of the other vendor is refused, not ignored', async t => {
  const ofDyte = { org: 'some-org', key: 'some-key', contract: 'L1' }
  for (const [name, value] of Object.entries(ofDyte)) {
    const error = await refused({ vendor: 'realtimekit', [name]: value })
    t.type(error, RangeError, name)
    t.equal(error.message, `simulator options: "${name}" does not go with the vendor realtimekit`)
  }
  const ofRealtimeKit = { account: 'a'.repeat(32), app: nobody, token: 'some-token', badToken: '401', dropped: 'gone' }
  for (const [name, value] of Object.entries(ofRealtimeKit)) {
    t.equal((await refused({ [name]: value })).message, `simulator options: "${name}" does not go with the vendor dyte`)
  }
})

t.test(
  'a livestream that is over cannot be shown in the old contract, where it would look like one that begins',
  async t => {
    const error = await refused({ contract: 'L1', activeShowsEnded: true })
    t.type(error, RangeError)
    t.equal(error.message, 'simulator options: "activeShowsEnded" does not go with the contract L1')
  }
)

t.test('an option that is undefined is like one that is absent', async t => {
  const simulator = await createSimulator({ host: undefined, contract: undefined } as unknown as SimulatorOptions)
  t.teardown(() => simulator.close())
  t.equal(simulator.url, `http://127.0.0.1:${simulator.port}/v2`)
  t.equal(simulator.origin, `http://127.0.0.1:${simulator.port}`)
})

t.test('without options it listens on loopback and runs on real time', async t => {
  const before = Date.now()
  const simulator = await createSimulator()
  t.teardown(() => simulator.close())
  await send(simulator, 'GET', '/v2/meetings')
  t.ok((simulator.journal[0]?.at ?? 0) >= before)
})

t.test('an address that is taken is an error, and close is harmless twice', async t => {
  const simulator = await createSimulator()
  t.match(await refused({ port: simulator.port }), { code: 'EADDRINUSE' })
  await simulator.close()
  await simulator.close()
})

t.test('an IPv6 address stands in brackets', async t => {
  const simulator = await createSimulator({ host: '::1' }).catch(() => null)
  if (!simulator) return t.pass('an IPv6 origin', { skip: 'no IPv6 here' })
  t.teardown(() => simulator.close())
  t.equal(simulator.origin, `http://[::1]:${simulator.port}`)
})
