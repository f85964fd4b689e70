/** The image: what is in it, and what is not. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { docker } from '../support/container/docker.ts'
import { base, image, trap } from '../support/container/image.ts'

const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
const { packages }: { packages: Record<string, { version?: string; dev?: boolean }> } = JSON.parse(
  readFileSync('package-lock.json', 'utf8')
)
const revision = process.env.LIVEGATE_REVISION ?? ''

/** Runs a line of shell in the image, as the user of the image. */
const inImage = (line: string): Promise<string> =>
  docker('run', '--rm', '--network', 'none', '--entrypoint', 'sh', image, '-c', line)

/** Bytes of an image, as `docker save` writes them: every layer, with files that a later one removes, and the configuration. */
async function* saved(name: string): AsyncGenerator<Buffer> {
  const save = spawn('docker', ['save', name], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(save, 'exit')
  yield* save.stdout
  const [code] = await ended
  if (code !== 0) throw new Error(`docker save: ${code}`)
}

/** The searched texts that the bytes contain. */
async function found(bytes: AsyncIterable<Buffer>, searched: string[]): Promise<string[]> {
  const seen = new Set<string>()
  const longest = Math.max(...searched.map(text => text.length))
  let rest = Buffer.alloc(0)
  for await (const chunk of bytes) {
    const here = Buffer.concat([rest, chunk])
    for (const text of searched) if (here.includes(text)) seen.add(text)
    rest = here.subarray(-longest)
  }
  return [...seen]
}

t.test('a container runs as uid 1000 of group 0, which no file of the application lets write', async t => {
  t.equal(await inImage('id -u; id -g'), '1000\n0')
  t.equal(await inImage('find /app /usr /etc -xdev -writable -not -type l; test -w /data && echo /data'), '/data')
  t.match(await docker('image', 'inspect', '-f', '{{.Config.User}}', image), /^1000:0$/)
})

t.test('no layer, label or step of the image has a secret that lay beside the sources', async t => {
  const known = 'needs Node 24 or newer in the PATH'
  t.strictSame(await found(saved(image), [trap, known]), [known], 'in the layers is what belongs there alone')
  t.notMatch(await docker('history', '--no-trunc', image), trap)
  t.notMatch(await docker('image', 'inspect', image), trap)
})

t.test('the image has the build alone: no package of development, no TypeScript, no source', async t => {
  t.equal(
    await inImage('ls /app'),
    'compiled\nhealthcheck.sh\nlib\nlicenses.txt\nlivegate\npackage.json\nprebuilds\nstatic'
  )
  t.equal(await inImage('find /app -name "*.ts" -o -name "*.tsbuildinfo" -o -name node_modules -o -name ".*"'), '')
  t.equal(await inImage('command -v tsc biome esbuild tap || echo none'), 'none')
  const bundled: string[] = (await inImage('cat /app/licenses.txt')).match(/^\S+ [0-9]+\.\S+(?= \()/gm) ?? []
  t.ok(bundled.length > 20 && bundled.some(name => name.startsWith('fastify ')))
  // By name and version: a package of development may bring another version of one that is in use.
  const inUse = Object.entries(packages).filter(([, { dev }]) => dev !== true)
  const names = new Set(inUse.map(([path, { version }]) => `${path.split('node_modules/').at(-1)} ${version}`))
  t.ok(names.size < Object.keys(packages).length / 2)
  t.strictSame(
    bundled.filter(name => !names.has(name)),
    []
  )
})

t.test('Node takes over what it compiled when the image was built', async t => {
  const asked = ['--rm', '--network', 'none', '--env', 'NODE_DEBUG_NATIVE=COMPILE_CACHE', '--entrypoint', 'sh', image]
  const told = await docker('run', ...asked, '-c', 'livegate --version 2>&1')
  t.match(told, /\/app\/lib\/cli\.js was accepted/)
  t.notMatch(told, /rejected/)
})

t.test('the layers of the application take 60 MB at most', async t => {
  const size = async (name: string): Promise<number> =>
    Number(await docker('image', 'inspect', '-f', '{{.Size}}', name))
  const [all, below] = await Promise.all([size(image), size(base)])
  t.comment(`${((all - below) / 1e6).toFixed(1)} MB on ${(below / 1e6).toFixed(0)} MB of the stand-in for Node's image`)
  t.ok(all - below <= 60e6, `${all - below} bytes`)
})

t.test('labels and `livegate --version` tell version and revision', async t => {
  t.match(JSON.parse(await docker('image', 'inspect', '-f', '{{json .Config.Labels}}', image)), {
    'org.opencontainers.image.title': 'livegate',
    'org.opencontainers.image.version': version,
    'org.opencontainers.image.revision': revision
  })
  t.equal(
    await docker('run', '--rm', '--network', 'none', image, '--version'),
    `${version} (commit ${revision}, Node ${process.versions.node})`
  )
})
