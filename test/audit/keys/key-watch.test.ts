import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { watchKeys } from '../../../src/audit/keys/key-watch.ts'
import { auditedWorld, worker } from '../../support/audit/store-helper.ts'
import { until } from '../../support/until.ts'

t.test(
  'a key that is lost while its gateway runs is told of once, until it is back; a rotation is no loss',
  async t => {
    const { open, dataDir, read } = await auditedWorld(t)
    const { audited, store } = await open()
    const lines: string[] = []
    const facts: object[] = []
    const line = (level: string) => (said: object, message: string) => {
      facts.push(said)
      lines.push(`${level} ${message}`)
    }
    let looks = 0
    const find = async (): Promise<void> => {
      looks += 1
      await audited.findKeys()
    }
    const watch = watchKeys(find, { info: line('info'), error: line('error') }, 1)
    t.teardown(() => watch.close())
    const someLooks = async (): Promise<void> => {
      const before = looks
      await until(() => looks >= before + 4)
    }
    await someLooks()
    await audited.rotate(worker)
    await someLooks()
    t.strictSame(lines, [])

    for (const name of ['audit-signing.key', 'audit-fingerprint.key']) {
      const [path, text] = [join(dataDir, name), read(name)]
      lines.length = 0
      rmSync(path)
      await until(() => watch.missing())
      t.match(facts.at(-1), { err: { message: new RegExp(`^${path} is missing`) } })
      writeFileSync(path, 'another one')
      await someLooks()
      t.ok(watch.missing(), 'another one is not the one')
      t.strictSame(lines, ["error the audit log's keys are not as they were: without them the next start refuses"])
      writeFileSync(path, text)
      await until(() => !watch.missing())
      t.equal(lines.at(-1), "info the audit log's keys are there again")
    }

    lines.length = 0
    await store.close()
    await someLooks()
    t.strictSame(lines, [], 'a store that cannot be read says nothing about the keys')
  }
)
