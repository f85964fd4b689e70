import { randomBytes } from 'node:crypto'
import t from 'tap'
import { sealingWith } from '../../../src/audit/keys/sealing.ts'
import { Secret } from '../../../src/domain/values/secret.ts'

t.test('a sealed secret opens with the same key for the same owner, and for nobody else', async t => {
  const bytes = randomBytes(32)
  const text = randomBytes(24).toString('hex')
  const sealed = sealingWith(bytes).seal(new Secret(text), 'acme')
  t.equal(sealingWith(bytes).open(sealed, 'acme')?.reveal(), text)
  t.equal(sealingWith(bytes).open(sealed, 'globex'), null)
  t.equal(sealingWith(randomBytes(32)).open(sealed, 'acme'), null)
})

t.test('it shows nothing of the secret, and is another one each time', async t => {
  const sealing = sealingWith(randomBytes(32))
  const secret = new Secret('s'.repeat(32))
  const [one, other] = [sealing.seal(secret, 'acme'), sealing.seal(secret, 'acme')]
  t.not(one, other)
  t.notMatch(Buffer.from(one, 'base64').toString('latin1'), /sss/)
})

t.test('a text that was changed, cut or never sealed opens to nothing', async t => {
  const sealing = sealingWith(randomBytes(32))
  const box = Buffer.from(sealing.seal(new Secret('secret'), 'acme'), 'base64')
  for (const at of [0, 12, box.length - 1]) {
    const changed = Buffer.from(box)
    changed[at] = (changed[at] ?? 0) ^ 1
    t.equal(sealing.open(changed.toString('base64'), 'acme'), null, `byte ${at}`)
  }
  for (const text of ['', 'x', box.subarray(0, 20).toString('base64')]) t.equal(sealing.open(text, 'acme'), null, text)
})
