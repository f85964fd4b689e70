import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Deployment } from 'kubernetes-models/apps/v1'
import { PersistentVolumeClaim, Service } from 'kubernetes-models/v1'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { readConfig } from '../../src/config/config.ts'
import { nameOfHome } from '../../src/domain/store-home.ts'
import { builtOnce } from '../support/runner/built.ts'

const read = (file: string): string => readFileSync(file, 'utf8')
const image = read('Dockerfile')
/** Variables that the image sets. */
const imageEnv = Object.fromEntries(
  [...(/^ENV (.*)$/m.exec(image)?.[1] ?? '').matchAll(/(\w+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value])
)
const kinds = { Deployment, PersistentVolumeClaim, Service }

interface Container {
  name: string
  image: string
  command?: string[]
  restartPolicy?: string
  ports?: { name: string; containerPort: number }[]
  env: { name: string; value: string }[]
  volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[]
  securityContext: object
  resources: { limits: { memory: string } }
}
interface Probe {
  exec?: { command: string[] }
  httpGet?: { path: string }
}
interface Manifest {
  kind: keyof typeof kinds
  spec: {
    replicas?: number
    strategy?: { type: string }
    template: {
      metadata: { annotations: Record<string, string> }
      spec: {
        containers: Container[]
        initContainers?: Container[]
        terminationGracePeriodSeconds: number
        securityContext: object
        volumes: { name: string; secret?: { defaultMode: number } }[]
      }
    }
  }
}

const files = ['docs/deploy/kubernetes.yaml', 'docs/deploy/kubernetes-sidecar.yaml']
const manifestsOf = (file: string): Manifest[] => parseAllDocuments(read(file)).map(document => document.toJS())

/** Complaints of TypeScript about manifests by the types of Kubernetes, which also refuse a field that it does not know. */
function typeErrors(folder: string): string {
  const compiler = ['node_modules/typescript-7/bin/tsc', '-p', folder]
  // Without tap's hooks.
  const env = { ...process.env, NODE_OPTIONS: '' }
  const found = spawnSync(process.execPath, compiler, { encoding: 'utf8', env })
  return `${found.error ?? ''}${found.stderr}${found.stdout}${found.status}`
}

function asTypeScript(manifests: Manifest[]): string {
  const lines = manifests.map(one => `${JSON.stringify(one)} satisfies I${one.kind}`)
  return `import type { IDeployment } from 'kubernetes-models/apps/v1'
import type { IPersistentVolumeClaim, IService } from 'kubernetes-models/v1'
export const manifests = [${lines.join(',\n')}]
`
}

t.test('the examples for Kubernetes are what its schemas ask for, and have no field that it does not know', async t => {
  const manifests = files.flatMap(manifestsOf)
  t.equal(manifests.length, 5)
  for (const manifest of manifests) t.doesNotThrow(() => new kinds[manifest.kind](manifest as never).validate())
  const wrong = { ...manifests[2], spec: { ...manifests[2]?.spec, replicas: '1' } }
  t.throws(() => new Deployment(wrong as never).validate(), /replicas must be integer/)

  const compilerOptions = { noEmit: true, strict: true, skipLibCheck: true, module: 'nodenext', types: [] }
  const misspelt = { ...manifests[0], spec: { ...manifests[0]?.spec, accessMode: [] } } as unknown as Manifest
  // Together, since to start the compiler and to read the types costs more than to check a file.
  const folder = t.testdir({
    'tsconfig.json': JSON.stringify({ compilerOptions }),
    'good.ts': asTypeScript(manifests),
    'bad.ts': asTypeScript([misspelt])
  })
  const errors = typeErrors(folder)
  t.match(errors, /bad\.ts.*"accessMode"' does not exist/)
  t.notMatch(errors, 'good.ts')
})

t.test('they run the gateway as its image is made: read-only, without rights, one for its store', async t => {
  for (const file of files) {
    const { spec } = manifestsOf(file).find(({ kind }) => kind === 'Deployment') as Manifest
    t.match(spec, { replicas: 1, strategy: { type: 'Recreate' } }, 'two would wait for one store')
    const pod = spec.template.spec
    const [, uid, gid] = /^USER (\d+):(\d+)$/m.exec(image) ?? []
    t.match(pod.securityContext, { runAsNonRoot: true, runAsUser: Number(uid), runAsGroup: Number(gid) })
    const gateway = [...(pod.initContainers ?? []), ...pod.containers].find(({ name }) => name === 'livegate')
    if (gateway === undefined) throw new Error(file)
    t.match(gateway.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] }
    })
    t.equal(gateway.command, undefined, "the image's own entry point")
    t.equal(gateway.resources.limits.memory, '384Mi')
    const places = new Map(gateway.volumeMounts.map(({ mountPath, name }) => [mountPath, name]))
    t.strictSame([...places.keys()], ['/data', '/run/secrets/livegate', '/tmp'])
    t.equal(pod.volumes.find(({ secret }) => secret !== undefined)?.secret?.defaultMode, 0o440)

    const env = { ...imageEnv, ...Object.fromEntries(gateway.env.map(({ name, value }) => [name, value])) }
    const secret = (path: string): string => {
      t.match(path, /^\/run\/secrets\/livegate\/[\w-]+$/)
      return 'a-value-of-some-length'
    }
    const { shutdownMs, metrics } = readConfig(env, secret)
    t.equal(metrics?.host, '0.0.0.0', 'Prometheus comes from outside of the container')
    t.equal(gateway.ports?.find(({ name }) => name === 'metrics')?.containerPort, metrics?.port)
    t.equal(spec.template.metadata.annotations['prometheus.io/port'], String(metrics?.port))
    for (const other of manifestsOf(file).filter(({ kind }) => kind === 'Service'))
      t.notMatch(JSON.stringify(other), 'metrics', 'callers never see them')
    t.ok(pod.terminationGracePeriodSeconds * 1_000 > 5_000 + shutdownMs + 500, 'a graceful end has its time')
    const probes = Object.entries(gateway).filter(([name]) => name.endsWith('Probe')) as [string, Probe][]
    t.ok(probes.length >= 2)
    for (const [, { exec, httpGet }] of probes) {
      if (httpGet !== undefined) t.match(httpGet.path, /^\/(livez|readyz)$/)
      else if (exec !== undefined)
        t.match(image, JSON.stringify(exec.command.slice(0, 2)).slice(0, -1).replace(',', ', '))
    }
  }
})

const analyze = '/usr/bin/systemd-analyze'
const skip = existsSync(analyze) ? false : 'no systemd on this machine'

t.test('systemd takes the unit, and finds little that it could still do', { skip }, async t => {
  const unit = read('docs/deploy/livegate.service')
    .replace('/opt/livegate/node_modules/.bin/livegate', resolve(builtOnce(), 'livegate'))
    .replace('/opt/livegate', resolve('.'))
  const file = join(t.testdir({ 'livegate.service': unit }), 'livegate.service')
  const verified = spawnSync(analyze, ['verify', file], { encoding: 'utf8' })
  t.strictSame([verified.status, verified.stdout, verified.stderr], [0, '', ''])
  const judged = spawnSync(analyze, ['security', '--offline=true', '--threshold=20', '--no-pager', file])
  t.equal(judged.status, 0, 'an exposure of 2.0 at most, of 10')
})

t.test("the unit's settings are ones that Livegate takes, and its end has its time", async t => {
  const unit = read('docs/deploy/livegate.service')
  const env = Object.fromEntries(
    [...unit.matchAll(/^Environment=(.*)$/gm)].flatMap(([, line = '']) =>
      line.split(' ').map(pair => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)])
    )
  )
  const { host, home, shutdownMs, metrics } = readConfig(env, () => 'a-value-of-some-length')
  t.equal(metrics?.host, '127.0.0.1', 'metrics are for this machine alone')
  t.equal(host, `unix:/run/${/^RuntimeDirectory=(.*)$/m.exec(unit)?.[1]}/livegate.sock`)
  t.equal(nameOfHome(home), `/var/lib/${/^StateDirectory=(.*)$/m.exec(unit)?.[1]}/livegate.db`)
  t.ok(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]) * 1_000 > shutdownMs + 500)
})
