import t from 'tap'
import { parseRateLimit } from '../../src/domain/values/rate-limit.ts'
import { commandLine, refused } from '../support/cli.ts'
import fc from '../support/runner/properties.ts'
import { openStoreHere } from '../support/store.ts'

t.test('a tenant is created, changed, suspended, resumed and shown, as JSON', async t => {
  const { json } = commandLine(t)
  const acme = await json('tenant', 'create', 'acme')
  t.match(acme, {
    id: 'acme',
    name: 'acme',
    upstream: 'default',
    read_limit: null,
    write_limit: null,
    suspended: false
  })
  t.ok(Math.abs(Date.parse(acme.created_at) - Date.now()) < 10_000)

  const limits = ['--read-limit', '600/60,100', '--write-limit', '1/86400', '--upstream', 'default']
  const globex = await json('tenant', 'create', 'globex-2', '--name', 'Globex & Söhne', ...limits)
  t.match(globex, { name: 'Globex & Söhne', read_limit: '600/60,100', write_limit: '1/86400' })

  t.strictSame(await json('tenant', 'update', 'acme', '--name', 'Acme'), { ...acme, name: 'Acme' })
  const changed = await json('tenant', 'update', 'globex-2', '--read-limit', 'default')
  t.strictSame(changed, { ...globex, read_limit: null }, 'what is not named stays')
  const same = await json('tenant', 'move', 'globex-2', '--upstream', 'default')
  t.strictSame(same, changed)

  t.match(await json('tenant', 'suspend', 'acme'), { id: 'acme', suspended: true })
  t.match(await json('tenant', 'suspend', 'acme'), { suspended: true }, 'twice is no mistake')
  t.match(await json('tenant', 'show', 'acme'), { suspended: true })
  t.match(await json('tenant', 'resume', 'acme'), { suspended: false })
  t.strictSame(await json('tenant', 'list'), [{ ...acme, name: 'Acme' }, changed])
})

t.test('the presets that a tenant may give are named, and set back to the usual ones', async t => {
  const { run, json } = commandLine(t)
  t.match(await json('tenant', 'create', 'acme'), { presets: null })
  t.match((await run('tenant', 'show', 'acme')).stdout, /^presets +default$/m)
  const named = await json('tenant', 'update', 'acme', '--presets', 'host, viewer,host')
  t.strictSame(named.presets, ['host', 'viewer'])
  t.strictSame((await json('tenant', 'show', 'acme')).presets, ['host', 'viewer'])
  t.match(await json('tenant', 'update', 'acme', '--name', 'Acme'), { presets: ['host', 'viewer'] })
  for (const wrong of ['', 'a,,b', 'x'.repeat(257), Array.from({ length: 101 }, (_, i) => i).join(',')])
    t.match(refused(await run('tenant', 'update', 'acme', '--presets', wrong)), /--presets must be/)
  t.match(await json('tenant', 'update', 'acme', '--presets', 'default'), { presets: null, server_starts_only: false })
  t.match(await json('tenant', 'update', 'acme', '--server-starts-only', 'on'), { server_starts_only: true })
  t.match(await json('tenant', 'update', 'acme', '--name', 'A'), { server_starts_only: true, presets: null })
  t.match(refused(await run('tenant', 'update', 'acme', '--server-starts-only', 'yes')), /must be on or off/)
  t.match(await json('tenant', 'update', 'acme', '--server-starts-only', 'off'), { server_starts_only: false })
})

t.test('people read it as text', async t => {
  const { run, storeFile } = commandLine(t)
  await (await openStoreHere(storeFile)).close()
  t.equal((await run('tenant', 'list')).stdout, 'no tenants yet: livegate tenant create <id>\n')
  t.match((await run('tenant', 'create', 'acme')).stdout, 'created tenant acme; next: livegate key create acme')
  t.equal((await run('tenant', 'update', 'acme', '--read-limit', '5/1')).stdout, 'updated tenant acme\n')
  t.match(
    (await run('tenant', 'show', 'acme')).stdout,
    /^read_limit +5\/1\nwrite_limit +default\nmax_duration_seconds +none$/m
  )
  t.equal((await run('tenant', 'suspend', 'acme')).stdout, 'suspended tenant acme\n')
  t.match(
    (await run('tenant', 'list')).stdout,
    /^id +name +upstream +state +created\nacme +acme +default +suspended +2/
  )
  t.equal((await run('tenant', 'resume', 'acme')).stdout, 'resumed tenant acme\n')
  t.match((await run('tenant', 'list')).stdout, /^acme +acme +default +active +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/m)
})

t.test('a mistake about a tenant is named, and nothing is created or changed', async t => {
  const { run, json } = commandLine(t)
  const acme = await json('tenant', 'create', 'acme')
  const usage: [string[], RegExp][] = [
    ...['Acme', 'a_b', '-a', 'a-', 'a--b', 'ä', ' ', 'a b', 'a'.repeat(64), '..', 'a/b'].map(
      (id): [string[], RegExp] => [['create', '--', id], /^a tenant id is lower-case letters and digits/]
    ),
    ...[
      '600',
      '600/',
      '0/60',
      '60/0',
      '-1/60',
      '6e2/60',
      '1000001/60',
      '1/86401',
      '600/60 ',
      '600/60,0',
      '1/60,86400',
      ''
    ].flatMap((limit): [string[], RegExp][] => [
      [
        ['create', 'other', `--read-limit=${limit}`],
        /^--read-limit must be calls\/seconds or calls\/seconds,burst, like 600\/60 or 600\/60,100, or default$/
      ],
      [['update', 'acme', `--write-limit=${limit}`], /^--write-limit must be calls\/seconds or/]
    ]),
    [['create', 'other', '--name', ' '], /^--name must have 1 to 200 characters/],
    [['create', 'other', '--name', 'two\nlines'], /^--name must have 1 to 200 characters, on one line/],
    [['update', 'acme', '--name', 'n'.repeat(201)], /^--name must have 1 to 200 characters/],
    [['update', 'acme'], /^nothing to change: give --name or a limit, like --read-limit or --max-duration$/]
  ]
  for (const [args, message] of usage) {
    const outcome = await run('tenant', ...args)
    t.equal(outcome.code, 2, args.join(' '))
    t.match(refused(outcome), message)
  }
  t.strictSame(await json('tenant', 'list'), [acme])
})

t.test('a tenant that exists twice, or not at all, is one line and exit code 1', async t => {
  const { run, json } = commandLine(t)
  const acme = await json('tenant', 'create', 'acme')
  const twice = await run('tenant', 'create', 'acme', '--name', 'Another')
  t.equal(twice.code, 1)
  t.equal(refused(twice), 'the tenant acme exists already')
  for (const args of [['show'], ['suspend'], ['resume'], ['update', '--name', 'x']]) {
    const [verb = '', ...rest] = args
    const outcome = await run('tenant', verb, 'globex', ...rest)
    t.equal(outcome.code, 1, verb)
    t.equal(refused(outcome), 'there is no tenant globex')
  }
  t.strictSame(await json('tenant', 'list'), [acme])
})

t.test('every limit that is taken is kept as it was written, and every other one is refused', async t => {
  const { run, json } = commandLine(t)
  await json('tenant', 'create', 'acme')
  const number = fc.oneof(fc.integer({ min: -1, max: 2_000_000 }).map(String), fc.string({ maxLength: 4 }))
  await fc.assert(
    fc.asyncProperty(number, number, fc.option(number), async (calls, seconds, burst) => {
      const limit = burst === null ? `${calls}/${seconds}` : `${calls}/${seconds},${burst}`
      const { code, stdout } = await run('tenant', 'update', 'acme', `--read-limit=${limit}`, '--json')
      if (parseRateLimit(limit) === null) return code === 2
      return code === 0 && JSON.parse(stdout).read_limit === (burst === calls ? `${calls}/${seconds}` : limit)
    })
  )
})

t.test('the runs of a tenant are limited, each limit by itself, and `none` takes one away', async t => {
  const { json, run } = commandLine(t)
  const all = ['--max-duration', '4h', '--default-duration', '90m', '--max-live', '3', '--minutes-per-month', '6000']
  const acme = await json('tenant', 'create', 'acme', ...all, '--stop-with-meeting', 'off')
  const given = { max_duration_seconds: 14_400, default_duration_seconds: 5_400, max_live: 3, minutes_per_month: 6_000 }
  t.match(acme, { ...given, stop_with_meeting: false })
  t.strictSame(await json('tenant', 'update', 'acme', '--max-live', '0'), { ...acme, max_live: 0 })
  const less = ['--max-live', 'none', '--default-duration', 'none', '--stop-with-meeting', 'on']
  t.strictSame(await json('tenant', 'update', 'acme', ...less, '--minutes-per-month', 'none'), {
    ...acme,
    ...{ max_live: null, default_duration_seconds: null, minutes_per_month: null, stop_with_meeting: true }
  })
  t.match(await json('tenant', 'create', 'globex'), {
    ...{ max_duration_seconds: null, default_duration_seconds: null, max_live: null, minutes_per_month: null },
    stop_with_meeting: true
  })
  const wrong: [string[], RegExp][] = [
    ...['4', '9s', '31d', '-1h', 'forever', '0h'].map((text): [string[], RegExp] => [
      [`--max-duration=${text}`],
      /^--max-duration must be like 90m, 4h or 1d, from 10s to 30d, or none$/
    ]),
    [['--default-duration', '5h'], /^--default-duration 5h is longer than --max-duration 4h$/],
    [['--max-live=-1'], /^--max-live must be a whole number from 0, or none$/],
    [['--minutes-per-month', '1.5'], /^--minutes-per-month must be a whole number from 0, or none$/],
    [['--stop-with-meeting', 'maybe'], /^--stop-with-meeting must be on or off$/]
  ]
  for (const [args, message] of wrong) {
    const outcome = await run('tenant', 'update', 'acme', ...args)
    t.equal(outcome.code, 2, args.join(' '))
    t.match(refused(outcome), message)
  }
  t.match(await json('tenant', 'show', 'acme'), { max_duration_seconds: 14_400, default_duration_seconds: null })
})
