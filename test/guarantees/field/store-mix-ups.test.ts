import { execFile } from 'node:child_process'
import { linkSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import type { Environment } from '../../../src/config/config.ts'
import { presets } from '../../../src/domain/scope.ts'
import type { StoreHome } from '../../../src/domain/store-home.ts'
import { createSimulator } from '../../../src/simulator/simulator.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { degraded, loggedOf, mutationsSince, outcomesOf, written } from '../../support/campaigns/live-world.ts'
import { canMount, mounted } from '../../support/campaigns/mounted.ts'
import { says } from '../../support/campaigns/trouble.ts'
import { runHere, runProcess, startProcess } from '../../support/cli.ts'
import { environmentOf } from '../../support/config.ts'
import { addKey, addTenant, client, gateway } from '../../support/gateway.ts'
import { programOf } from '../../support/runner/built.ts'
import { openStoreHere } from '../../support/store.ts'
import { until } from '../../support/until.ts'

const stopOf = (meeting: string | undefined) => `/v2/meetings/${meeting}/active-livestream/stop`

/** Gives back what brings it back. */
function away(path: string): () => void {
  renameSync(path, `${path}.away`)
  return () => {
    rmSync(path, { force: true, recursive: true })
    renameSync(`${path}.away`, path)
  }
}

/** Each happens to the store of a gateway that runs, and that reaches it through a link to its folder. They give back what undoes them. */
const mixUps: Record<string, (folder: string, link: string) => () => void> = {
  'its file is moved away': folder => away(join(folder, 'livegate.db')),
  'another store is put into its place'(folder) {
    const undo = away(join(folder, 'livegate.db'))
    renameSync(join(folder, 'other.db'), join(folder, 'livegate.db'))
    return undo
  },
  'its folder is moved away': folder => away(folder),
  'the link to its folder leads elsewhere'(folder, link) {
    rmSync(link)
    symlinkSync(dirname(folder), link)
    return () => {
      rmSync(link)
      symlinkSync(folder, link)
    }
  },
  'what was committed last is moved away': folder => away(join(folder, 'livegate.db-wal')),
  'it is removed'(folder) {
    const file = join(folder, 'livegate.db')
    linkSync(file, `${file}.kept`)
    rmSync(file)
    return () => renameSync(`${file}.kept`, file)
  }
}

t.test(
  'a store that is moved, replaced or removed under its gateway takes no mutation with it, and holds no stop',
  async t => {
    const config: { home?: StoreHome } = {}
    const live: string[] = []
    let [folder, link] = ['', '']
    const world = await gateway(t, {
      threads: true,
      config,
      async before(store, simulator, itsFolder) {
        folder = itsFolder
        link = `${folder}-link`
        symlinkSync(folder, link)
        t.teardown(() => rmSync(link))
        config.home = { kind: 'sqlite', file: join(link, 'livegate.db') }
        await (await openStoreHere(join(folder, 'other.db'))).close()
        live.push(...Object.keys(mixUps).map(() => simulator.addMeeting().id))
        await meetingsIn(store).assign('acme', 'default', live, Date.now())
      }
    })
    const { asAcme, meeting, simulator, directory } = world
    for (const id of live) await asAcme('POST', `/v2/meetings/${id}/livestreams`)

    for (const [i, [what, mixUp]] of Object.entries(mixUps).entries()) {
      const callsBefore = simulator.journal.length
      const undo = mixUp(folder, link)
      const asked = Array.from({ length: 4 }, () => [
        asAcme('POST', `/v2/meetings/${meeting}/livestreams`),
        asAcme('POST', '/v2/meetings', { title: 'new' }),
        asAcme('PATCH', `/v2/meetings/${meeting}`, { title: what })
      ])
      const told = new Set((await Promise.all(asked.flat())).map(says))
      t.strictSame([...told], ['503 audit_unavailable not_sent'], `${what}: no mutation is acknowledged`)
      const [id, stop] = [`stop-${i}`, stopOf(live[i])]
      t.equal(says(await asAcme('POST', stop, {}, { 'x-request-id': id })), '200', `${what}: a stop goes on`)
      t.strictSame(mutationsSince(world, callsBefore), [`POST ${stop}`], `${what}: and nothing else`)
      t.strictSame(loggedOf(world, id), ['pending', 'done'], `${what}: its events are in the log at once`)
      await directory.pull().catch(() => {})
      t.strictSame(await degraded(world), ['store'], `${what}: it is told of`)

      undo()
      await directory.pull()
      await until(async () => outcomesOf(await written(world), id).length === 2)
      t.strictSame(outcomesOf(await written(world), id), ['pending', 'done'], `${what}: undone, they are in the store`)
      await until(async () => (await degraded(world)).length === 0)
      t.equal(says(await asAcme('PATCH', `/v2/meetings/${meeting}`, { title: 'well' })), '200', `${what}: all is well`)
    }
  }
)

t.test('a store that is served is served by nobody else, whatever it is called', async t => {
  const folder = t.testdir({ in: {}, data: {}, linked: {}, single: { 'livegate.db': '' } })
  const real = join(folder, 'data', 'livegate.db')
  const link = join(folder, 'in', 'livegate.db')
  symlinkSync(real, link) // nothing is there yet
  const simulator = await createSimulator({ liveAfterMs: 0 })
  t.teardown(() => simulator.close())
  const vendor = environmentOf(simulator)
  const env = (file: string): Environment => ({
    ...vendor,
    PORT: '0',
    LIVEGATE_SHUTDOWN_MS: '300',
    LIVEGATE_DATA_DIR: join(folder, 'data'),
    DATABASE_URL: `sqlite:${file}`
  })
  const first = startProcess(t, ['serve'], env(link))
  const [, url = ''] = await first.line(/"url":"([^"]+)".*"msg":"livegate listens"/)
  const hardLink = join(folder, 'linked', 'livegate.db')
  linkSync(real, hardLink)
  const refusalBy = async (file: string): Promise<string> => {
    const { code, stderr } = await runProcess(t, ['serve'], env(file))
    return `${code} ${stderr}`
  }

  const [byItsName, byHardLink] = await Promise.all([refusalBy(real), refusalBy(hardLink)])
  t.equal(byItsName, `1 livegate: another gateway serves ${real}: one store, one gateway\n`)
  t.match(byHardLink, `1 livegate: another gateway serves ${hardLink}, under another name or `)
  const command = await runHere(['tenant', 'create', 'acme'], env(hardLink))
  t.match(command.stderr, `${hardLink} is served under another name (its lock file is ${real}.lock): use it by that`)
  rmSync(`${real}.lock`)
  t.match(await refusalBy(real), `1 livegate: another gateway serves ${real}, under another name or `)

  const store = await openStoreHere(real)
  t.teardown(() => store.close())
  const meeting = simulator.addMeeting().id
  await addTenant(store, 'acme', meeting)
  const { key } = await addKey(store, 'acme', presets.owner)
  const ask = client(url, `Bearer ${key}`)
  await until(async () => (await ask('GET', '/v2/livestreams')).statusCode === 200)
  t.equal(says(await ask('POST', `/v2/meetings/${meeting}/livestreams`)), '201', 'the first one goes on')
  t.strictSame((await ask('GET', '/readyz')).json().degraded, [])
  t.match(first.stdout(), 'the database has several names (hard links)', 'and warns')
})

const noMounts = canMount() ? false : 'NOT TESTED: unshare may not mount here'

t.test('a database that is a mount of its own is refused by name', { skip: noMounts }, async t => {
  const folder = t.testdir({ real: { 'livegate.db': '' }, single: { 'livegate.db': '' } })
  const [source, over] = [join(folder, 'real', 'livegate.db'), join(folder, 'single', 'livegate.db')]
  const vendor = { DYTE_ORG_ID: 'org', DYTE_API_KEY: 'key' }
  const environment = { PATH: process.env.PATH, ...vendor, PORT: '0', DATABASE_URL: `sqlite:${over}` }
  const told = ['serve', 'tenant list'].map(command => {
    const args = mounted(source, over, [process.execPath, programOf('src/cli.ts'), ...command.split(' ')])
    return new Promise<string>(resolve => {
      execFile('unshare', args, { env: environment }, (error, _stdout, stderr) => resolve(`${error?.code} ${stderr}`))
    })
  })
  const refusal = `1 livegate: ${over} is a mount of its own: mount its folder, since SQLite keeps files beside it\n`
  t.strictSame(await Promise.all(told), [refusal, refusal])
})
