import { copyFileSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { readUnproved } from '../../../src/audit/proof/statements.ts'
import { startGateway } from '../../../src/gateway.ts'
import { makeLogger } from '../../../src/log/logger.ts'
import { createSimulator } from '../../../src/simulator/simulator.ts'
import { openStoreHere } from '../../../src/store/store.ts'
import { type CommandLine, commandLine } from '../../support/cli.ts'
import { configFor } from '../../support/config.ts'
import type { TestContext } from '../../support/gateway.ts'
import { inMemory } from '../../support/in-memory.ts'

/**
 * A store in the place of the one that was served is served when it is that one, and else refused with the command that
 * accepts it; nothing is changed until then, and from then on the proof says what is missing and never that all is well.
 */
const vendor = await createSimulator()
t.teardown(() => vendor.close())

interface Mixed {
  cli: CommandLine
  path(name: string): string
  /** The store as it was three events ago, and as it is. */
  older: string
  newest: string
  /** Another store in use, and a folder of yesterday. */
  other: CommandLine
}

const names = [
  'livegate.db',
  'livegate.db-wal',
  'audit-checkpoint.txt',
  'audit-public-key.txt',
  'audit-signing.key',
  'audit-fingerprint.key'
]

async function world(t: TestContext): Promise<Mixed> {
  const [cli, other] = [commandLine(t), commandLine(t)]
  const folder = inMemory(t).testdir()
  const path = (name: string): string => join(dirname(cli.storeFile), name)
  const keep = (as: string): string => {
    cpSync(dirname(cli.storeFile), join(folder, as), { recursive: true })
    return join(folder, as)
  }
  for (const { json } of [cli, other]) for (const id of ['a', 'b', 'c']) await json('tenant', 'create', id)
  const older = keep('older')
  for (const id of ['d', 'e', 'f']) await cli.json('tenant', 'create', id)
  return { cli, other, path, older, newest: keep('newest') }
}

const store = 'livegate.db'
const refused: [name: string, mix: (mixed: Mixed) => void | Promise<void>][] = [
  ['yesterday’s store', ({ older, path }) => copyFileSync(join(older, store), path(store))],
  ['no store', ({ path }) => rmSync(path(store))],
  ['an empty file', ({ path }) => writeFileSync(path(store), '')],
  [
    'a new store without anything in it',
    async ({ path }) => {
      rmSync(path(store))
      await (await openStoreHere(path(store))).close()
    }
  ],
  [
    'the store of another gateway, with its keys',
    ({ other, path }) => {
      for (const name of [store, 'audit-signing.key', 'audit-fingerprint.key']) {
        copyFileSync(join(dirname(other.storeFile), name), path(name))
      }
    }
  ],
  [
    'a store that has gone another way since, and is as long',
    async ({ cli, older, newest, path }) => {
      for (const name of names.filter(name => existsSync(join(older, name))))
        copyFileSync(join(older, name), path(name))
      for (const id of ['g', 'h', 'i', 'j']) await cli.json('tenant', 'create', id)
      copyFileSync(join(newest, 'audit-checkpoint.txt'), path('audit-checkpoint.txt'))
    }
  ],
  [
    'a newer checkpoint beside the store',
    async ({ cli, newest, path }) => {
      await cli.json('tenant', 'create', 'g')
      copyFileSync(join(newest, store), path(store))
    }
  ]
]
const served: typeof refused = [
  ['the same store', ({ newest, path }) => copyFileSync(join(newest, store), path(store))],
  [
    'yesterday’s folder as a whole, which nothing here can tell',
    ({ older, path }) => {
      for (const name of names.filter(name => existsSync(join(older, name))))
        copyFileSync(join(older, name), path(name))
    }
  ],
  [
    'an older checkpoint',
    ({ older, path }) => copyFileSync(join(older, 'audit-checkpoint.txt'), path('audit-checkpoint.txt'))
  ],
  ['no checkpoint', ({ path }) => rmSync(path('audit-checkpoint.txt'))]
]

const serve = async ({ storeFile }: CommandLine): Promise<void> => {
  const config = configFor(vendor, storeFile)
  // Without threads, which cost more than all else here, and know nothing of what is older.
  const gateway = await startGateway({ config, logger: makeLogger('silent'), open: openStoreHere })
  await gateway.close()
}
const isProved = async ({ run }: CommandLine): Promise<boolean> => (await run('audit', 'verify')).code === 0

for (const [name, mix] of refused) {
  t.test(`refused, and nothing is changed: ${name}`, async t => {
    const mixed = await world(t)
    const { cli, path, newest } = mixed
    await mix(mixed)
    const checkpoint = readFileSync(path('audit-checkpoint.txt'))
    const text = existsSync(path(store)) ? readFileSync(path(store)) : null
    const hash = readUnproved(checkpoint.toString())?.head?.hash ?? ''
    for (let i = 0; i < 2; i++) {
      await t.rejects(serve(cli), { message: new RegExp(`: livegate store accept-older ${hash}$`) })
      t.equal((await cli.run('tenant', 'create', 'x')).code, 1)
      t.match((await cli.run('doctor')).stdout, /^FAIL {2}store of /m)
      t.strictSame(existsSync(path(store)) ? readFileSync(path(store)) : null, text)
      t.strictSame(readFileSync(path('audit-checkpoint.txt')), checkpoint)
      t.notOk(await isProved(cli))
    }
    t.equal((await cli.run('store', 'accept-older', hash)).code, 0)
    await serve(cli)
    t.equal((await cli.run('tenant', 'create', 'x')).code, 0)
    for (const args of [[], ['--checkpoint', join(newest, 'audit-checkpoint.txt')]]) {
      t.equal((await cli.run('audit', 'verify', ...args)).code, 3)
    }
  })
}

for (const [name, mix] of served) {
  t.test(`served: ${name}`, async t => {
    const mixed = await world(t)
    await mix(mixed)
    await serve(mixed.cli)
    t.equal((await mixed.cli.run('tenant', 'create', 'x')).code, 0)
    t.ok(await isProved(mixed.cli))
  })
}
