import t, { type Test } from 'tap'
import { accountOf } from '../../support/account.ts'
import {
  type Bed,
  callAll,
  type Expected,
  everywhere,
  makeBeds,
  mutations,
  type Operation,
  operations,
  use
} from '../../support/campaigns/trouble.ts'
import { gateway, type World } from '../../support/gateway.ts'
import { nobody, rawVendor } from '../../support/upstream/vendor.ts'

/** Nothing here has to wait for it, and no slow machine comes to it. */
const deadlineMs = 60_000

/** A gateway whose vendor is at the given address, with things of acme that it knows from better days. */
async function gatewayOf(t: Test, url: string): Promise<World & { bed: Bed }> {
  const beds: Bed[] = []
  const config: Record<string, unknown> = { deadlineMs }
  const world = await gateway(t, {
    config,
    unmoved: true,
    slowDisk: true,
    before: async (store, simulator) => {
      config.upstreams = [accountOf({ ...simulator, url })]
      beds.push(...(await makeBeds(store, simulator, 1)))
    }
  })
  return { ...world, bed: beds[0] as Bed }
}

async function allSay(t: Test, { asAcme, bed, simulator }: World & { bed: Bed }, expected: Expected): Promise<void> {
  const outcomes = await callAll(asAcme, bed)
  t.strictSame(Object.fromEntries(operations.map(name => [name, outcomes[name].says])), expected)
  t.equal(simulator.journal.length, 0, 'nobody else was asked')
}

t.test(
  'every call says that nobody listens at the vendor, and every mutation but a stop that nothing was sent',
  async t => {
    const world = await gatewayOf(t, await nobody(t))
    // A stop is sent again when somebody listens.
    const unreachable = {
      ...everywhere(502, 'upstream_unreachable', 'not_sent'),
      stop: '502 upstream_unreachable unknown'
    }
    await allSay(t, world, unreachable)
    const { method, path, body } = use('start', world.bed)
    const again = await world.asAcme(method, path, body)
    t.match(
      again.json().error,
      { type: 'upstream_unreachable', outcome: 'not_sent' },
      'a start can be tried again at once'
    )
  }
)

t.test('every call says so when the vendor sends bytes that are no answer, and nothing is sent twice', async t => {
  let answer = ''
  const received: string[] = []
  const nothingLive = 'HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}'
  const { url } = await rawVendor(t, (socket, bytes) => {
    const [line = ''] = bytes.split(' HTTP')
    received.push(line)
    // The look before a start finds nothing live, so that the start itself is sent.
    const look = line === `GET /v2/meetings/${world.bed.meetings.start}/active-livestream`
    if (look) socket.write(nothingLive)
    else if (answer === '') socket.destroy()
    else socket.write(answer)
  })
  const world = await gatewayOf(t, url)
  const sentOnce = (t: Test): void => {
    const sent = (name: Operation): string => {
      const { method, path } = use(name, world.bed).vendor
      return `${method} /v2${path}`
    }
    const posts = received.filter(line => !line.startsWith('GET'))
    t.strictSame(posts.sort(), mutations.map(sent).sort())
    received.length = 0
  }

  const cases: [what: string, bytes: string, type: string][] = [
    ['bytes that are not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n', 'upstream_malformed'],
    [
      'another protocol',
      'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n',
      'upstream_unreachable'
    ],
    ['nothing, and hangs up', '', 'upstream_unreachable']
  ]
  for (const [what, bytes, type] of cases) {
    await t.test(what, async t => {
      answer = bytes
      await allSay(t, world, everywhere(502, type, 'unknown'))
      sentOnce(t)
      // The next case needs a start that may be sent.
      await world.store.engine.write([
        world.store.sql.updateTable('operations').set({ state: 'failed' }).where('state', '=', 'unknown').compile()
      ])
    })
  }
})
