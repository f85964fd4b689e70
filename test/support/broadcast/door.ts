import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Simulator } from '../../../src/simulator/simulator.ts'
import { accountOf } from '../account.ts'
import { gateway, type Reply, type TestContext, type World, type WorldOptions } from '../gateway.ts'
import { until } from '../until.ts'

/** Between gateway and vendor, so that a test decides when the vendor hears something: no delay has to be long enough. */
export interface Door {
  /** Requests whose line begins so wait here from now on; without a word all do. */
  hold(...begins: string[]): void
  /** Requests that wait, as `METHOD target`, and the bytes that follow them. */
  held(): string[]
  /** The vendor has done its work, and its answers to such requests wait here from now on. */
  holdAnswers(begin: string): void
  heldAnswers(): number
  /** Lets all that waits go on. */
  release(): void
  /** No new connection comes to stand; those that stand go on. */
  shut(): void
  open(): Promise<void>
}

export interface WorldWithDoor extends World {
  door: Door
  /** Sends these calls at once and gives their answers to come, when each of them has come to its queue. */
  inLine(calls: (() => Promise<Reply>)[]): Promise<Promise<Reply>[]>
}

/** A gateway that reaches its vendor through a door. */
export async function gatewayBehindDoor(t: TestContext, options: WorldOptions = {}): Promise<WorldWithDoor> {
  let door: Door | undefined
  // A call that the door holds back is never too late, however slow the machine.
  const config: Record<string, unknown> = { deadlineMs: 30_000, ...options.config }
  const world = await gateway(t, {
    ...options,
    config,
    async before(store, simulator, folder) {
      const made = await makeDoor(t, simulator)
      door = made
      config.upstreams = [accountOf({ ...simulator, url: made.url })]
      await options.before?.(store, simulator, folder)
    }
  })
  let arrived = 0
  world.app.server.on('request', () => arrived++)
  return {
    ...world,
    door: door as Door,
    async inLine(calls) {
      const before = arrived
      const replies = calls.map(call => call())
      await until(() => arrived >= before + calls.length)
      // A later call that asks the store has its answer: those before it have had theirs, and have gone on.
      for (let i = 0; i < 2; i++) await world.asAcme('GET', `/v2/meetings/${randomUUID()}`)
      return replies
    }
  }
}

async function makeDoor(t: TestContext, simulator: Simulator): Promise<Door & { url: string }> {
  const sockets = new Set<Socket>()
  const waiting: { bytes: Buffer; to: Socket }[] = []
  let holding: string[] = []
  let holdingAnswers: string | null = null
  const waitingAnswers: { bytes: Buffer; to: Socket }[] = []
  /** Callers whose vendor has closed the connection behind an answer that waits here. */
  const left: Socket[] = []
  let port = 0
  let server: Server
  const door = {
    hold(...begins: string[]) {
      holding = begins.length > 0 ? begins : ['']
    },
    held: () => waiting.map(({ bytes }) => bytes.toString().split(' HTTP', 1)[0] ?? ''),
    holdAnswers(begin: string) {
      holdingAnswers = begin
    },
    heldAnswers: () => waitingAnswers.length,
    release() {
      holding = []
      holdingAnswers = null
      for (const { bytes, to } of waitingAnswers.splice(0)) to.write(bytes)
      for (const to of left.splice(0)) to.end()
      for (const { bytes, to } of waiting.splice(0)) to.write(bytes)
    },
    shut() {
      server.close()
    },
    async open() {
      server = createServer(caller => {
        const vendor = connect(simulator.port, '127.0.0.1')
        for (const [socket, other] of [
          [caller, vendor],
          [vendor, caller]
        ] as const) {
          sockets.add(socket)
          socket.on('error', () => {}) // either side may leave at any time
          socket.on('close', () => {
            sockets.delete(socket)
            if (waitingAnswers.some(({ to }) => to === other)) left.push(other)
            else other.destroy()
          })
        }
        let request = ''
        caller.on('data', bytes => {
          request = bytes.toString()
          const waits = holding.some(begin => bytes.toString().startsWith(begin))
          // Later bytes of the same connection belong to it.
          if (waits || waiting.some(({ to }) => to === vendor)) waiting.push({ bytes, to: vendor })
          else vendor.write(bytes)
        })
        vendor.on('data', bytes => {
          const waits = holdingAnswers !== null && request.startsWith(holdingAnswers)
          if (waits || waitingAnswers.some(({ to }) => to === caller)) waitingAnswers.push({ bytes, to: caller })
          else caller.write(bytes)
        })
      })
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
      port = (server.address() as AddressInfo).port
    }
  }
  await door.open()
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { ...door, url: `http://127.0.0.1:${port}/v2` }
}
