import { join } from 'node:path'
import t from 'tap'
import { startGateway } from '../src/gateway.ts'
import { makeLogger } from '../src/log/logger.ts'
import { createSimulator } from '../src/simulator/simulator.ts'
import { configFor } from './support/config.ts'
import { client, type TestContext } from './support/gateway.ts'
import { inMemory } from './support/in-memory.ts'
import { openStoreHere } from './support/store.ts'

async function prepared(t: TestContext) {
  const simulator = await createSimulator()
  t.teardown(() => simulator.close())
  const config = configFor(simulator, join(inMemory(t).testdir(), 'livegate.db'))
  return { simulator, options: { config, logger: makeLogger('silent'), open: openStoreHere } }
}

t.test('a gateway that is told to end just before it listens ends as soon as it does', async t => {
  const { options } = await prepared(t)
  const steps: string[] = []
  let ended: Promise<void> | undefined
  const { url, close } = await startGateway({
    ...options,
    onListen(close) {
      steps.push('told')
      ended = close().then(() => {
        steps.push('ended')
      })
    }
  })
  steps.push('started')
  await ended
  t.strictSame(steps, ['told', 'started', 'ended'])
  await close()
  await t.rejects(client(url, null)('GET', '/livez'))
})

t.test('a gateway that cannot listen says why, also when what it has opened cannot be closed', async t => {
  const { simulator, options } = await prepared(t)
  const { port } = simulator
  const held = Promise.withResolvers<void>()
  const started = startGateway({
    ...options,
    config: { ...options.config, port, shutdownMs: 100 },
    async open(file) {
      const store = await openStoreHere(file)
      t.teardown(() => store.close())
      return { ...store, close: () => held.promise }
    }
  })
  await t.rejects(started, { code: 'EADDRINUSE', port })
  held.resolve()
})
