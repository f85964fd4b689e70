import { type ChildProcess, spawnSync } from 'node:child_process'
import { closeSync, constants, openSync, rmSync, truncateSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** A log that cannot be written, by whatever its reason is. */
export interface BrokenLog {
  name: string
  /** It needs a disk of its own. */
  mounts?: boolean
  /** Standard output of the process, and the words before its command. */
  open(folder: string): { stdout: number | 'pipe'; before?: string[] }
  /** Where it can be written at first. */
  breakIt?(child: ChildProcess, folder: string): void
  repair?(child: ChildProcess, folder: string): void
}

const fileLimit = 4 * 1024 * 1024
const ownMounts = ['unshare', '--user', '--map-root-user', '--mount']

/** Why some of them are not possible on this machine, or false. */
export const cannotMount =
  spawnSync(ownMounts[0] ?? '', [...ownMounts.slice(1), 'mount', '-t', 'tmpfs', 'none', '/tmp']).status !== 0 &&
  'NOT TESTED: unshare, of util-linux, is not here or may not mount'

export const brokenLogs: readonly BrokenLog[] = [
  { name: 'a full device', open: () => ({ stdout: openSync('/dev/full', 'w') }) },
  {
    name: 'a pipe that nobody reads',
    open(folder) {
      const pipe = makePipe(folder)
      const reader = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK)
      fill(reader)
      // Blocking, as a shell opens it.
      return { stdout: openSync(pipe, 'w') }
    }
  },
  {
    name: 'a file on a full disk, until somebody makes room',
    mounts: true,
    open: folder => ({ stdout: 'pipe', before: onSmallDisk(folder, 'cat /dev/zero > filler') }),
    repair: ({ pid }, folder) => rmSync(`/proc/${pid}/root${folder}/filler`)
  },
  {
    name: 'a file that may not grow',
    open(folder) {
      const file = join(folder, 'log')
      const stdout = openSync(file, 'a')
      truncateSync(file, fileLimit)
      return { stdout, before: ['prlimit', `--fsize=${fileLimit}`] }
    }
  },
  // The address 0 of this very process, which nobody may write.
  { name: 'a broken disk', open: () => ({ stdout: openSync('/proc/self/mem', constants.O_WRONLY) }) },
  {
    name: 'a pipe whose reader has gone',
    open(folder) {
      const pipe = makePipe(folder)
      const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
      const stdout = openSync(pipe, 'w')
      closeSync(reader)
      return { stdout }
    }
  },
  {
    name: 'a socket that nobody reads',
    open: () => ({ stdout: 'pipe', before: inShell('dd if=/dev/zero bs=4096 count=10000 oflag=nonblock 2> /dev/null') })
  },
  {
    name: 'a socket whose reader goes',
    open: () => ({ stdout: 'pipe' }),
    breakIt: ({ stdout }) => stdout?.destroy()
  },
  {
    name: 'a file whose disk fills up, until somebody makes room',
    mounts: true,
    open: folder => ({ stdout: 'pipe', before: onSmallDisk(folder, 'true') }),
    breakIt: ({ pid }, folder) => spawnSync('sh', ['-c', `cat /dev/zero > /proc/${pid}/root${folder}/filler`]),
    repair: ({ pid }, folder) => rmSync(`/proc/${pid}/root${folder}/filler`)
  }
]

/** A shell that does something first, and is then replaced by the command. */
function inShell(first: string, into = ''): string[] {
  return ['sh', '-c', `${first}; exec "$@" ${into}`, 'sh']
}

function onSmallDisk(folder: string, first: string): string[] {
  const mount = `mount -t tmpfs -o size=64k none '${folder}'; (cd '${folder}'; ${first}) 2> /dev/null`
  return [...ownMounts, ...inShell(mount, `>> '${folder}/log'`)]
}

function makePipe(folder: string): string {
  const pipe = join(folder, 'pipe')
  spawnSync('mkfifo', [pipe])
  return pipe
}

function fill(pipe: number): void {
  const bytes = Buffer.alloc(4_096)
  try {
    for (;;) writeSync(pipe, bytes)
  } catch {
    // It is full.
  }
}
