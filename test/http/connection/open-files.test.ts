import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { mostConnections, openFilesLimit } from '../../../src/http/connection/open-files.ts'

t.test('the limit of open files is what the system says', t => {
  t.ok(openFilesLimit() > 100)
  const file = join(t.testdir(), 'limits')
  writeFileSync(
    file,
    'Max processes   1  1  processes\nMax open files            1024                 4096                 files\n'
  )
  t.equal(openFilesLimit(file), 1_024)
  writeFileSync(file, 'Max open files            unlimited            unlimited            files\n')
  t.equal(openFilesLimit(file), Number.POSITIVE_INFINITY)
  t.equal(openFilesLimit(join(file, 'nothing')), Number.POSITIVE_INFINITY)
  t.end()
})

t.test('callers leave what the vendor needs, and where there is little, half of it', t => {
  const most = (limit: number, wanted: number | null = null, upstreams = 1) =>
    mostConnections({ wanted, upstreams }, limit)
  t.strictSame([most(1_048_576), most(1_048_576, 50_000)], [10_000, 50_000])
  t.strictSame([most(1_024), most(1_024, 50), most(1_024, 5_000)], [540, 50, 540])
  t.strictSame([most(1_024, null, 10), most(256), most(20)], [512, 128, 10])
  t.end()
})
