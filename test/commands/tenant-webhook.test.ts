import t from 'tap'
import { commandLine, refused } from '../support/cli.ts'
import { receiver, says, verified } from '../support/webhooks/receiver.ts'

const networks = { LIVEGATE_WEBHOOK_NETWORKS: '127.0.0.0/8' }
const url = 'https://hooks.example.com/livegate'

t.test(
  'a webhook is set, shown, changed and removed, each on record; its secret is shown when it is new alone',
  async t => {
    const { run, json } = commandLine(t)
    await run('tenant', 'create', 'acme')
    const made = await run('tenant', 'webhook', 'set', 'acme', url)
    t.equal(made.code, 0)
    t.match(made.stdout, /^whsec_[A-Za-z0-9+/]{43}=\n$/, 'standard output has nothing but the secret')
    t.match(made.stderr, /^webhook of acme: https:\/\/hooks\.example\.com\/livegate\. Its secret is shown this once/)
    const moved = await run('tenant', 'webhook', 'set', 'acme', 'https://other.example')
    t.match(moved, { code: 0, stdout: 'set the webhook of acme to https://other.example/; its secret is as before\n' })
    const rotated = await json('tenant', 'webhook', 'set', 'acme', url, '--rotate-secret')
    t.match(rotated, { url, secret: /^whsec_/, previous_secret_until: String })
    t.not(rotated.secret, made.stdout.trim())

    const { secret: _, ...facts } = rotated
    t.strictSame(await json('tenant', 'webhook', 'show', 'acme'), facts)
    const shown = await run('tenant', 'webhook', 'show', 'acme')
    t.match(shown.stdout, /url +https:\/\/hooks\.example\.com\/livegate\n(.*\n)*last_attempt +-\n/)
    t.notMatch(shown.stdout, 'whsec_')

    t.match(await run('tenant', 'webhook', 'remove', 'acme'), { code: 0, stdout: 'removed the webhook of acme\n' })
    const actions = (await run('audit', 'export')).stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line).event)
    t.strictSame(
      actions
        .slice(1)
        .map(({ api, resources }) => [api.operation, ...resources.map(({ uid }: { uid: string }) => uid)]),
      [
        ['setWebhook', 'acme', 'hooks.example.com'],
        ['setWebhook', 'acme', 'other.example'],
        ['setWebhook', 'acme', 'hooks.example.com'],
        ['removeWebhook', 'acme', 'hooks.example.com']
      ]
    )
    t.notMatch(JSON.stringify(actions), 'whsec_')
  }
)

t.test('a refusal is one line that says why', async t => {
  const { run } = commandLine(t)
  await run('tenant', 'create', 'acme')
  const of = async (code: number, ...args: string[]): Promise<string> => {
    const outcome = await run('tenant', 'webhook', ...args)
    t.equal(outcome.code, code, args.join(' '))
    return refused(outcome)
  }
  t.equal(
    await of(2, 'set', 'acme', 'http://example.com'),
    'the address must begin with https:// (http:// is for private networks that the operator allows)'
  )
  t.equal(await of(2, 'set', 'acme', 'https://192.168.0.1/'), 'the address must lead to a public address')
  t.equal(await of(1, 'set', 'globex', url), 'there is no tenant globex')
  for (const what of ['show', 'remove', 'test']) {
    t.equal(await of(1, what, 'acme'), 'the tenant acme has no webhook')
    t.equal(await of(1, what, 'globex'), 'there is no tenant globex')
  }
})

t.test('a test is sent from here, and its exit code says whether it was delivered', async t => {
  const { run, json } = commandLine(t, networks)
  await run('tenant', 'create', 'acme')
  const one = await receiver(t)
  const { secret } = await json('tenant', 'webhook', 'set', 'acme', one.url)
  const test = await run('tenant', 'webhook', 'test', 'acme')
  t.match(test, { code: 0, stdout: /^delivered to http:\/\/127\.0\.0\.1:\d+\/hook: status 204, \d+ ms\n$/ })
  t.match(one.received[0] && verified(secret, one.received[0]), { type: 'webhook.test' })
  one.behaviour = says(500)
  const failed = await run('tenant', 'webhook', 'test', 'acme')
  t.equal(failed.code, 1)
  t.match(refused(failed), /^not delivered to http:\/\/127\.0\.0\.1:\d+\/hook: status \(status 500, \d+ ms\)$/)
  await run('tenant', 'webhook', 'set', 'acme', 'http://127.0.0.1:1/')
  t.match(refused(await run('tenant', 'webhook', 'test', 'acme')), /unreachable \(no answer, /)
})
