import t from 'tap'
import { parseNetwork } from '../../../src/domain/values/address.ts'
import { faultOfUrl, hostOf, retryPauseMs } from '../../../src/domain/webhooks/tenant-webhook.ts'

const networks = [parseNetwork('127.0.0.0/8')].filter(one => one !== null)

t.test('pauses grow five times each, up to an hour', async t => {
  t.strictSame(
    [1, 2, 3, 4, 5, 6, 7, 1_000].map(failures => retryPauseMs(failures, 5_000)),
    [5_000, 25_000, 125_000, 625_000, 3_125_000, 3_600_000, 3_600_000, 3_600_000]
  )
})

t.test('an address that cannot be a webhook is refused with the reason', async t => {
  const form = 'must be an address like https://hooks.example.com/livegate'
  const refused: Record<string, string | null> = {
    '': form,
    hook: form,
    '//example.com': form,
    'ftp://example.com/': form,
    'file:///etc/passwd': form,
    'https://': form,
    'https://exa mple.com/': form,
    'https://example.com/\n': form,
    'https:\\\\example.com': form,
    [`https://example.com/${'x'.repeat(2_048)}`]: form,
    'http://example.com/': 'must begin with https:// (http:// is for private networks that the operator allows)',
    'https://user@example.com/': 'must have no user and no password',
    'https://:secret@example.com/': 'must have no user and no password',
    'https://example.com/#top': 'must have no fragment (#)',
    'https://127.0.0.1/': 'must lead to a public address',
    'https://2130706433/': 'must lead to a public address',
    'https://0x7f.1/': 'must lead to a public address',
    'https://[::1]/': 'must lead to a public address',
    'https://[::ffff:127.0.0.1]:8443/': 'must lead to a public address',
    'https://example.com/hook?token=1': null,
    'https://bücher.example:8443': null,
    'https://localhost/': null
  }
  for (const [text, fault] of Object.entries(refused)) t.equal(faultOfUrl(text, []), fault, JSON.stringify(text))
})

t.test('with private networks plain http is accepted, and an address that stands in one', async t => {
  t.equal(faultOfUrl('http://receiver.internal/hook', networks), null)
  t.equal(faultOfUrl('http://127.0.0.1:8080/hook', networks), null)
  t.equal(faultOfUrl('http://8.8.8.8/hook', networks), 'must lead to a public address')
  t.equal(faultOfUrl('https://10.0.0.1/hook', networks), 'must lead to a public address')
})

t.test('the audit log has the host of an address, and nothing that may be secret', async t => {
  t.equal(hostOf('https://hooks.example.com:8443/a?token=b'), 'hooks.example.com:8443')
  t.equal(hostOf(`https://${'a'.repeat(63)}.${'b'.repeat(63)}.example/`).length, 64)
})
