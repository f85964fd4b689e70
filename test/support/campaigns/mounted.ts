import { spawnSync } from 'node:child_process'

/** False where a process may not have mounts of its own: it takes user namespaces, and a command of util-linux. */
export function canMount(): boolean {
  return spawnSync('unshare', ['-Urm', 'true']).status === 0
}

/** The arguments of `unshare` that run a command with one file mounted over another, which is there. */
export function mounted(source: string, over: string, command: string[]): string[] {
  return ['-Urm', 'sh', '-c', 'mount --bind "$1" "$2" && shift 2 && exec "$@"', 'sh', source, over, ...command]
}
