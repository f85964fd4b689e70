import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { isInPath, NotHere } from './engine.ts'

/** The names of the images of a run. */
export const image = 'livegate'
export const base = 'node:24-bookworm-slim'

/** Debian without anything, kept for the next run: it takes half a minute, and most of it is a download. */
const rootfs = resolve('.tap/container/bookworm.tar')
const bare = 'local/debian:bookworm-slim'

/** A Docker client that says what it does. @throws Error with its last words */
function docker(env: Record<string, string>, args: string[], cwd?: string): void {
  const { status, stdout, stderr } = spawnSync('docker', args, {
    env: { ...process.env, ...env },
    cwd,
    encoding: 'utf8'
  })
  if (status !== 0) throw new Error(`docker ${args.slice(0, 1)}: ${`${stdout}\n${stderr}`.slice(-6_000)}`)
}

/**
 * Makes a stand-in for the official image and gives it that name, so that the Dockerfile needs no change where no image can be pulled:
 * Debian's packages, the pinned Node, the npm of this machine and the authorities that it trusts.
 * @throws NotHere where it cannot be made, which says nothing about the Dockerfile
 */
export function makeBase(env: Record<string, string>): void {
  try {
    makeRootfs()
    makeNode(env)
  } catch (error) {
    throw new NotHere(`no stand-in for ${base}: ${error instanceof Error ? error.message : error}`)
  }
}

function makeRootfs(): void {
  if (existsSync(rootfs)) return
  if (!isInPath('mmdebstrap')) throw new Error('mmdebstrap is not installed')
  mkdirSync(dirname(rootfs), { recursive: true })
  const draft = rootfs.replace(/\.tar$/, `-${process.pid}.tar`)
  const packages = '--include=ca-certificates,libstdc++6'
  const made = spawnSync('mmdebstrap', ['--variant=minbase', packages, 'bookworm', draft], { encoding: 'utf8' })
  if (made.status !== 0) {
    rmSync(draft, { force: true })
    throw new Error(`Debian's packages cannot be had: ${made.stderr.trim().split('\n').at(-1)}`)
  }
  renameSync(draft, rootfs)
}

function makeNode(env: Record<string, string>): void {
  const folder = mkdtempSync(join(tmpdir(), 'livegate-base-'))
  try {
    docker(env, ['import', rootfs, bare])
    const local = join(folder, 'img/usr/local')
    const modules = join(local, 'lib/node_modules')
    mkdirSync(join(local, 'bin'), { recursive: true })
    cpSync(process.execPath, join(local, 'bin/node'))
    cpSync(npmHere(), join(modules, 'npm'), { recursive: true, dereference: true })
    symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(local, 'bin/npm'))
    // Debian's images keep no index of packages either, which would count as ours.
    mkdirSync(join(folder, 'img/etc/apt/apt.conf.d'), { recursive: true })
    const caches = 'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n'
    writeFileSync(join(folder, 'img/etc/apt/apt.conf.d/docker-clean'), caches)
    mkdirSync(join(folder, 'ca'))
    for (const file of globSync('/usr/local/share/ca-certificates/*.crt'))
      cpSync(file, join(folder, 'ca', basename(file)))
    writeFileSync(
      join(folder, 'Dockerfile'),
      `FROM ${bare}
COPY ca/ /usr/local/share/ca-certificates/
RUN update-ca-certificates
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
COPY img/ /
RUN groupadd --gid 1000 node && useradd --uid 1000 --gid node --create-home node
CMD ["node"]
`
    )
    docker(env, ['build', '--network', 'host', '-t', base, folder])
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The npm that runs this, or the one of the machine. */
function npmHere(): string {
  const found =
    process.env.npm_execpath ?? spawnSync('/bin/sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).stdout.trim()
  return join(realpathSync(found), '../..')
}

/** Text that stands in each file of the context which must not come into an image. */
export const trap = 'not-for-any-image-5f2c0d'

/**
 * Builds the Dockerfile as it is, from a copy of the sources among which secrets lie where people have them.
 * @throws NotHere where a container reaches no registry of packages, Error where the build itself fails
 */
export function buildImage(env: Record<string, string>, revision: string): void {
  const context = mkdtempSync(join(tmpdir(), 'livegate-context-'))
  try {
    const files = [
      'Dockerfile',
      '.dockerignore',
      'package.json',
      'package-lock.json',
      '.npmrc',
      'tsconfig.json',
      'build.ts',
      'src'
    ]
    for (const file of files) cpSync(file, join(context, file), { recursive: true })
    mkdirSync(join(context, '.git'))
    for (const file of [
      '.env',
      'src/.env',
      'livegate.db',
      'audit-signing.key',
      '.git/config',
      'docker-compose.override.yml'
    ])
      writeFileSync(join(context, file), `DYTE_API_KEY=${trap}\n`)
    appendFileSync(join(context, '.npmrc'), `//registry.invalid/:_authToken=${trap}\n`)
    const build = ['build', '--network', 'host', '--no-cache', '--build-arg', `REVISION=${revision}`, '-t', image, '.']
    try {
      docker(env, build, context)
    } catch {
      assertRegistries(env)
      // A download can break off. What is wrong with the Dockerfile is wrong again.
      docker(env, build, context)
    }
  } finally {
    rmSync(context, { recursive: true })
  }
}

/** @throws NotHere unless a container reaches the two registries of packages that the Dockerfile installs from */
function assertRegistries(env: Record<string, string>): void {
  for (const ask of ['apt-get update -qq 2>&1 && apt-get install -y -qq tini', 'npm view typebox version']) {
    try {
      docker(env, ['run', '--rm', '--network', 'host', base, 'sh', '-c', ask])
    } catch (error) {
      throw new NotHere(`no registry of packages from a container: ${String(error).slice(-300)}`)
    }
  }
}
