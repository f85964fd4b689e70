import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** A Docker engine of this run alone. */
export interface Engine {
  /** Variables for the Docker client. */
  env: Record<string, string>
  /** Ends the engine and removes all that it had. */
  stop(): Promise<void>
}

/** Says what this machine lacks: the tests cannot run, whatever the image is like. */
export class NotHere extends Error {}

/** Time for an engine to be up, which takes 6 s on a machine that has nothing else to do. */
const upWithinMs = 120_000

/** Room for images and the packages that a build installs, which take 2 GB. */
const neededBytes = 4e9

/**
 * Starts an engine that has no network but that of the machine: it makes no bridge, and leaves firewall and forwarding as they are.
 * @throws NotHere where none can run
 */
export async function startEngine(): Promise<Engine> {
  if (process.getuid?.() !== 0) throw new NotHere('an engine needs root')
  for (const program of ['dockerd', 'docker']) if (!isInPath(program)) throw new NotHere(`${program} is not installed`)
  const { bavail, bsize } = statfsSync(tmpdir())
  if (bavail * bsize < neededBytes) throw new NotHere(`less than ${neededBytes / 1e9} GB are free in ${tmpdir()}`)
  const folder = mkdtempSync(join(tmpdir(), 'livegate-engine-'))
  const socket = `unix://${folder}/docker.sock`
  const log = `${folder}/log`
  const daemon = spawn(
    '/bin/sh',
    [
      ...['-c', 'exec dockerd "$@" >"$0" 2>&1', log, '--host', socket, '--pidfile', `${folder}/pid`],
      ...['--data-root', `${folder}/root`, '--exec-root', `${folder}/exec`],
      ...['--bridge=none', '--iptables=false', '--ip6tables=false', '--ip-forward=false', '--ip-masq=false']
    ],
    { stdio: 'ignore' }
  )
  const ended = once(daemon, 'exit')
  const stop = async (): Promise<void> => {
    daemon.kill()
    await ended
    spawnSync('umount', [`${folder}/exec/netns/default`], { stdio: 'ignore' })
    rmSync(folder, { recursive: true, force: true })
  }
  // No settings of a person, and the builder that every client has.
  const env = { DOCKER_HOST: socket, DOCKER_CONFIG: `${folder}/config`, DOCKER_BUILDKIT: '0' }
  const deadline = performance.now() + upWithinMs
  while (spawnSync('docker', ['ps'], { env: { ...process.env, ...env } }).status !== 0) {
    if (daemon.exitCode === null && performance.now() < deadline) {
      await sleep(250)
      continue
    }
    const why = readFileSync(log, 'utf8').trim().split('\n').at(-1)
    await stop()
    throw new NotHere(`the engine does not run: ${why}`)
  }
  return { env, stop }
}

export function isInPath(program: string): boolean {
  return spawnSync('/bin/sh', ['-c', `command -v ${program}`]).status === 0
}
