import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import files from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { readTrouble, writeTrouble } from '../../src/audited-store/store-rights.ts'
import { runHere, startNode } from '../support/cli.ts'
import { inMemory } from '../support/in-memory.ts'
import type { Case } from '../support/other-uid.ts'

const vendor = { DYTE_ORG_ID: 'o', DYTE_API_KEY: 'k-1', DYTE_BASE_URL: 'http://127.0.0.1:9/v2', PORT: '0' }

const inFile = (file: string) => ({ kind: 'sqlite', file }) as const

t.test('another uid hears which uid may not do what with which path, whose it is and what to do', async t => {
  const root = mkdtempSync(join(tmpdir(), 'livegate-'))
  t.teardown(() => {
    chmodSync(join(root, 'closed'), 0o700)
    rmSync(root, { recursive: true, force: true })
  })
  chmodSync(root, 0o755)
  const at = (...parts: string[]) => join(root, ...parts)
  for (const folder of ['spare', 'foreign', 'closed', 'store', 'locked', 'half']) mkdirSync(at(folder))
  const envOf = (folder: string) => ({
    ...vendor,
    SPARE: at('spare'),
    DATABASE_URL: `sqlite:${at(folder, 'livegate.db')}`
  })
  for (const folder of ['store', 'locked', 'half'])
    t.equal((await runHere(['tenant', 'create', 'acme'], envOf(folder))).code, 0)
  chmodSync(at('foreign'), 0o555)
  chmodSync(at('closed'), 0o000)
  // A store that is another's, in a folder that everybody may write to; one whose files alone were given away; and the reverse.
  chmodSync(at('store'), 0o777)
  chmodSync(at('half'), 0o777)
  for (const name of readdirSync(at('half'))) chmodSync(at('half', name), name.endsWith('.key') ? 0o000 : 0o666)
  for (const name of readdirSync(at('store'))) chmodSync(at('store', name), 0o000)
  for (const name of readdirSync(at('locked'))) chmodSync(at('locked', name), 0o666)
  chmodSync(at('locked'), 0o555)
  chmodSync(at('spare'), 0o777)

  const cases: [args: string[], folder: string, verb: string, path: string][] = [
    [['serve'], 'foreign', 'write to', at('foreign')],
    [['tenant', 'create', 'x'], 'foreign/data', 'write to', at('foreign')],
    [['serve'], 'closed', 'enter', at('closed')],
    [['tenant', 'list'], 'closed', 'enter', at('closed')],
    [['serve'], 'closed/data', 'enter', at('closed')],
    [['serve'], 'store', 'write to', at('store', 'livegate.db')],
    [['tenant', 'list'], 'store', 'read', at('store', 'livegate.db')],
    [['serve'], 'half', 'read', at('half', 'audit-signing.key')],
    [['tenant', 'create', 'x'], 'half', 'read', at('half', 'audit-signing.key')],
    [['serve'], 'locked', 'write to', at('locked')],
    [['tenant', 'list'], 'locked', 'write to', at('locked')],
    [['doctor'], 'store', 'write to', at('store', 'livegate.db')]
  ]
  const runs = cases.map(([args, folder]): Case => ({ args, env: envOf(folder) }))
  const child = startNode(t, ['test/support/other-uid.ts', JSON.stringify([12_345, runs])], {})
  const { code, stdout, stderr } = await child.ended
  t.equal(code, 0, stderr)
  const { uid, gid, outcomes } = JSON.parse(stdout)
  for (const [i, [args, folder, verb, path]] of cases.entries()) {
    const owner = statSync(path)
    const mode = (owner.mode & 0o7777).toString(8)
    const sentence = `uid ${uid}, group ${gid}, may not ${verb} ${path}: it belongs to uid ${owner.uid}, group ${owner.gid}, with mode ${mode}. Give it to uid ${uid} (chown -R ${uid} ${path}), or run Livegate as uid ${owner.uid} (docker run --user ${owner.uid})`
    const { code, stdout, stderr } = outcomes[i]
    const what = `${args.join(' ')} in ${folder}`
    t.equal(code, 1, what)
    if (args[0] === 'doctor') t.match(stdout, `FAIL  store of ${path}: ${sentence}\n`, what)
    else t.equal(stderr, `livegate: ${sentence}\n`, what)
  }
  t.equal(statSync(at('foreign')).nlink, 2, 'nothing was made')
})

t.test('a store that is no database, or a folder, is named, whatever the command', async t => {
  const file = join(t.testdir({ folder: {} }), 'livegate.db')
  writeFileSync(file, 'this is no database, however long one looks at it')
  const env = { ...vendor, DATABASE_URL: `sqlite:${file}` }
  for (const args of [['serve'], ['tenant', 'create', 'acme'], ['tenant', 'list'], ['audit', 'verify'], ['doctor']]) {
    const { code, stdout, stderr } = await runHere(args, env)
    t.equal(code, 1)
    t.match(stdout + stderr, new RegExp(`${file}.* file is not a database`), args.join(' '))
    t.notMatch(stderr, 'unexpected')
  }
  const folder = { ...vendor, DATABASE_URL: `sqlite:${join(file, '..', 'folder')}` }
  for (const args of [['serve'], ['tenant', 'create', 'acme'], ['tenant', 'list']]) {
    const { code, stderr } = await runHere(args, folder)
    t.equal(code, 1)
    t.match(stderr, `livegate: cannot open ${join(file, '..', 'folder')}: `, args.join(' '))
  }
})

t.test('a pipe where a file of ours should be is named, and not waited for', async t => {
  const root = inMemory(t).testdir()
  for (const name of ['livegate.db', 'livegate.db-wal', 'livegate.db.lock', 'audit-signing.key']) {
    const storeFile = join(root, `at-${name}`, 'livegate.db')
    const pipe = join(root, `at-${name}`, name)
    mkdirSync(join(root, `at-${name}`))
    spawnSync('mkfifo', [pipe])
    const settings = { ...vendor, DATABASE_URL: `sqlite:${storeFile}` }
    const said = `livegate: ${pipe} is a pipe, a socket or a device, where a file should be\n`
    t.match(await runHere(['serve'], settings), { code: 1, stderr: said })
    t.match(await runHere(['tenant', 'create', 'acme'], settings), { code: 1, stderr: said })
    const places = { home: inFile(storeFile), auditKeys: { dataDir: join(root, `at-${name}`) } }
    t.equal((await readTrouble(places)) !== null, /db(-wal)?$/.test(name), 'a reader needs the store alone')
  }
})

t.test('a process with all rights hears of nothing; a file system that is mounted read-only is named', async t => {
  const dataDir = t.testdir({ 'livegate.db': '' })
  const places = { home: inFile(join(dataDir, 'sub', 'livegate.db')), auditKeys: { dataDir } }
  t.strictSame([await writeTrouble(places), await readTrouble(places)], [null, null])

  const saying = (code: string, path: string): Pick<typeof files, 'access' | 'stat'> => ({
    stat: files.stat,
    access: async (asked, mode) => {
      if (asked === path && (mode ?? 0) & files.constants.W_OK) throw Object.assign(new Error(code), { code })
    }
  })
  const readOnly = `${dataDir} is on a file system that is mounted read-only: mount one there that can be written`
  t.equal(await writeTrouble(places, saying('EROFS', dataDir)), readOnly)
  const storeFile = join(dataDir, 'livegate.db')
  const there = { ...places, home: inFile(storeFile) }
  t.equal(await readTrouble(there, saying('EROFS', dataDir)), readOnly, 'its index could not be made')
  const mine = `uid ${process.getuid?.()}, group ${process.getgid?.()}, may not write to ${storeFile}: it belongs to uid `
  t.ok((await writeTrouble(there, saying('EACCES', storeFile)))?.startsWith(mine))
  t.equal(await writeTrouble(there, saying('EIO', storeFile)), null, 'what else is wrong the driver says')

  const hidden = { ...saying('EACCES', storeFile), stat: () => Promise.reject(new Error('hidden')) }
  const closed: typeof hidden.access = async path => {
    if (path === storeFile || path === dataDir) throw Object.assign(new Error('EACCES'), { code: 'EACCES' })
  }
  const stat = ((path: string) => (path === dataDir ? files.stat(path) : hidden.stat())) as typeof files.stat
  const enter = await readTrouble(there, { access: closed, stat })
  t.match(enter, `may not enter ${dataDir}: it belongs to uid `)
})
