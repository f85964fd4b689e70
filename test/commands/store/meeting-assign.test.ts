import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { type CommandLine, commandLine, refused } from '../../support/cli.ts'
import fc from '../../support/runner/properties.ts'
import { openStoreHere } from '../../support/store.ts'

/** A command line with the tenants acme and globex, and a way to write a file of ids beside its store. */
async function twoTenants(t: { testdir(): string; teardown(fn: () => unknown): void }) {
  const cli = commandLine(t)
  for (const id of ['acme', 'globex']) await cli.json('tenant', 'create', id)
  const file = (text: string): string => {
    const path = join(dirname(cli.storeFile), 'ids.txt')
    writeFileSync(path, text)
    return path
  }
  return { ...cli, file }
}

async function meetingsOf({ json }: CommandLine, tenant: string): Promise<string[]> {
  return (await json('meeting', 'list', tenant)).map(({ id }: { id: string }) => id)
}

t.test('each of many ids costs no more than each of few', async t => {
  const cli = await twoTenants(t)
  // Work and not time on the wall, which says more of what else the machine does; and alone, since all of this process counts.
  const costOf = async (count: number): Promise<number> => {
    const path = cli.file(Array.from({ length: count }, () => randomUUID()).join('\n'))
    const before = process.cpuUsage()
    t.match(await cli.json('meeting', 'assign', 'acme', '--file', path), { assigned: count })
    const { user, system } = process.cpuUsage(before)
    return (user + system) / count
  }
  const few = await costOf(800)
  const many = await costOf(8_000)
  t.ok(many < 2 * few, `${many} µs, and ${few} µs of few`)
  t.ok(many < 500, `${many} µs: 20,000 take seconds`)
})

// They wait, each for a vendor of its own.
t.jobs = 8

t.test('one meeting is assigned by its id; again changes nothing', async t => {
  const cli = await twoTenants(t)
  t.equal((await cli.run('meeting', 'list')).stdout, 'no meetings are assigned\n')
  const id = randomUUID()
  const first = await cli.json('meeting', 'assign', 'acme', id)
  t.strictSame(first, { tenant_id: 'acme', assigned: 1, unchanged: 0, taken: [], live: [] })
  const second = await cli.json('meeting', 'assign', 'acme', id)
  t.strictSame(second, { tenant_id: 'acme', assigned: 0, unchanged: 1, taken: [], live: [] })
  t.equal((await cli.run('meeting', 'assign', 'acme', id)).stdout, '0 assigned to acme, 1 were its own already\n')
  t.strictSame(await cli.json('meeting', 'list'), [{ id, tenant_id: 'acme', upstream: 'default' }])
  t.match((await cli.run('meeting', 'list')).stdout, new RegExp(`^id +tenant +upstream\n${id} +acme +default\n$`))
})

t.test('a UUID in upper case is the same meeting; another id of the provider is taken as it is', async t => {
  const cli = await twoTenants(t)
  const id = randomUUID()
  await cli.json('meeting', 'assign', 'acme', id.toUpperCase())
  await cli.json('meeting', 'assign', 'acme', 'Other_Id-1')
  t.strictSame((await meetingsOf(cli, 'acme')).sort(), [id, 'Other_Id-1'].sort())
  t.match(await cli.json('meeting', 'assign', 'acme', id), { unchanged: 1 })
  t.strictSame(await cli.json('meeting', 'release', id.toUpperCase()), { id, released: true })
})

t.test('one that the vendor writes in upper case is named so, however it is typed', async t => {
  const cli = await twoTenants(t)
  const store = await openStoreHere(cli.storeFile)
  t.teardown(() => store.close())
  const id = randomUUID().replace(/^./, 'a').toUpperCase()
  await meetingsIn(store).assign('acme', 'default', [id], Date.now())
  const typed = id.toLowerCase()
  t.match(await cli.json('meeting', 'assign', 'acme', typed), { assigned: 0, unchanged: 1 })
  const taken = await cli.run('meeting', 'assign', 'globex', '--file', cli.file(typed), '--json')
  t.match(JSON.parse(taken.stdout), { assigned: 0, taken: [id] })
  t.strictSame(await cli.json('meeting', 'release', typed), { id, released: true })
  t.match(await cli.json('meeting', 'assign', 'globex', typed), { assigned: 1 })
  t.strictSame(await meetingsOf(cli, 'globex'), [id])
})

t.test('many are assigned from a file: comments, blank lines, CRLF, a BOM and repeated ids are no trouble', async t => {
  const cli = await twoTenants(t)
  const [a, b, c] = [randomUUID(), randomUUID(), randomUUID()]
  const path = cli.file(`\uFEFF# stage meetings\r\n${a}\r\n\r\n  ${b}  # Fridays\r\n${a.toUpperCase()}\n\t\n#\n${c}`)
  t.match(await cli.json('meeting', 'assign', 'acme', '--file', path), { assigned: 3, unchanged: 0, taken: [] })
  t.strictSame(await meetingsOf(cli, 'acme'), [a, b, c].sort())
  t.match(await cli.json('meeting', 'assign', 'acme', '--file', path), { assigned: 0, unchanged: 3 })
})

t.test('the tenant has exactly the ids of such a file, whatever it looks like', async t => {
  const cli = await twoTenants(t)
  const ending = fc.constantFrom('\n', '\r\n', ' \n', '\n\n', ' # a comment\r\n', '\n# lgk\n')
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.uuid(), ending, fc.boolean()), { minLength: 1, maxLength: 8 }),
      async lines => {
        const text = lines.map(([id, end, upper]) => (upper ? id.toUpperCase() : id) + end).join('')
        await cli.json('meeting', 'assign', 'acme', '--file', cli.file(text))
        t.strictSame(await meetingsOf(cli, 'acme'), [...new Set(lines.map(([id]) => id))].sort())
        for (const id of await meetingsOf(cli, 'acme')) await cli.json('meeting', 'release', id)
      }
    ),
    { numRuns: 10 }
  )
})

t.test('a bad line is named by its number, and nothing of the file is assigned', async t => {
  const cli = await twoTenants(t)
  for (const bad of ['../orgs', 'a b', 'a/b', '%2e%2e', 'ä', '-a', 'a'.repeat(65), 'a\u0000', 'a\rb']) {
    const outcome = await cli.run('meeting', 'assign', 'acme', '--file', cli.file(`# ids\n${randomUUID()}\n\n${bad}\n`))
    t.equal(outcome.code, 2, JSON.stringify(bad))
    t.equal(refused(outcome), 'line 4: not an id of the provider (letters, digits, - and _, at most 64)')
  }
  t.strictSame(await meetingsOf(cli, 'acme'), [])
})

t.test('wrong usage of assign and release is refused', async t => {
  const cli = await twoTenants(t)
  const path = cli.file(randomUUID())
  const empty = join(dirname(path), 'empty.txt')
  writeFileSync(empty, '\n# nothing\n')
  const refusals: [string[], number, RegExp][] = [
    [['assign', 'acme'], 2, /^give a meeting id or --file <ids.txt>, one of them$/],
    [['assign', 'acme', 'some-id', '--file', path], 2, /^give a meeting id or --file/],
    [['assign', 'acme', '../x'], 2, /^meeting id: not an id of the provider/],
    [['assign', 'acme', ''], 2, /^meeting id: not an id/],
    [['release', 'a/b'], 2, /^meeting id: not an id/],
    [['assign', 'acme', '--file', `${path}.absent`], 1, /^--file: .*ids.txt.absent cannot be read$/],
    [['assign', 'acme', '--file', dirname(path)], 1, /^--file: .* cannot be read$/],
    [['assign', 'acme', '--file', empty], 1, /^--file: .*empty.txt has no meeting ids$/],
    [['assign', 'nobody', randomUUID()], 1, /^there is no tenant nobody$/],
    [['assign', 'nobody', '--file', path], 1, /^there is no tenant nobody$/],
    [['list', 'nobody'], 1, /^there is no tenant nobody$/],
    [['release', 'never-assigned'], 1, /^nobody has the meeting never-assigned$/]
  ]
  for (const [args, code, message] of refusals) {
    const outcome = await cli.run('meeting', ...args)
    t.equal(outcome.code, code, args.join(' '))
    t.match(refused(outcome), message)
  }
  t.strictSame(await cli.json('meeting', 'list'), [])
})

t.test('a meeting of another tenant stays with it; the others are assigned all the same', async t => {
  const cli = await twoTenants(t)
  const taken = Array.from({ length: 7 }, () => randomUUID())
  const free = randomUUID()
  await cli.json('meeting', 'assign', 'globex', '--file', cli.file(taken.join('\n')))
  const path = cli.file([...taken, free].join('\n'))
  const { code, stdout, stderr } = await cli.run('meeting', 'assign', 'acme', '--file', path, '--json')
  t.equal(code, 1)
  t.strictSame(JSON.parse(stdout), { tenant_id: 'acme', assigned: 1, unchanged: 0, taken, live: [] })
  const named = taken.slice(0, 5).join(', ')
  t.equal(
    stderr,
    `livegate: 7 not assigned; another tenant has (livegate meeting release <id>): ${named}, …\n`,
    'one line, however many they are'
  )
  t.strictSame(await meetingsOf(cli, 'acme'), [free])
  t.strictSame(await meetingsOf(cli, 'globex'), taken.toSorted())

  const [first = ''] = taken
  await cli.json('meeting', 'release', first)
  t.match(await cli.json('meeting', 'assign', 'acme', first), { assigned: 1 }, 'a released one is free')
})
