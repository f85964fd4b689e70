import { join } from 'node:path'
import t from 'tap'
import { isServedAtHome, keepGatewaysOut } from '../../src/store/homes.ts'
import { ServedAlready } from '../../src/store/served/patience.ts'
import { ownerName } from '../../src/store/served/predecessor.ts'
import { inMemory } from '../support/in-memory.ts'
import { refusalOf } from '../support/store/helper.ts'
import { openStoreHere } from '../support/store.ts'

t.test(
  'gateways are kept out of a file until it is released, and not where one lives that has another lock',
  async t => {
    const file = join(inMemory(t).testdir(), 'livegate.db')
    const home = { kind: 'sqlite', file } as const
    const store = await openStoreHere(file)
    t.teardown(() => store.close())
    let nowMs = 0
    let beats = 0
    const row = () => JSON.stringify({ id: 'other', lockFile: '/elsewhere.lock', lockInode: '1', beats: beats++ })
    const patience = {
      onWait() {},
      monotonic: () => nowMs,
      async pause(ms: number) {
        nowMs += ms
        await store.engine.write([
          store.sql.updateTable('meta').set({ value: row() }).where('name', '=', ownerName).compile()
        ])
      }
    }
    const release = await keepGatewaysOut(home, patience)
    t.ok(await isServedAtHome(home))
    await release()
    t.notOk(await isServedAtHome(home))

    await store.engine.write([store.sql.insertInto('meta').values({ name: ownerName, value: row() }).compile()])
    t.match(await refusalOf(keepGatewaysOut(home, patience)), {
      constructor: ServedAlready,
      reason: /one store, one gateway/
    })
    t.notOk(await isServedAtHome(home), 'its own lock is given back')
  }
)
