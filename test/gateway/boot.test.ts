import t from 'tap'
import { readBootId } from '../../src/gateway/boot.ts'

t.test('the boot is the same for all processes of a machine, and unknown where the system does not tell', async t => {
  t.equal(readBootId(), readBootId())
  if (process.platform === 'linux') t.match(readBootId(), /^[0-9a-f-]{36}$/)
  t.equal(readBootId('/nowhere/boot_id'), null)
})
