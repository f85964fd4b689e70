import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Every fsync of a process that preloads it takes so much longer: a disk that is busy with something else. */
const source = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static int slowly(const char *name, int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  long ms = atol(getenv("SLOW_FSYNC_MS"));
  struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};
  nanosleep(&pause, NULL);
  return real(fd);
}

int fsync(int fd) { return slowly("fsync", fd); }
int fdatasync(int fd) { return slowly("fdatasync", fd); }
`

/** The environment of a process whose fsyncs are slow, or null when there is no gcc to make it. */
export function slowFsync(folder: string, ms: number): Record<string, string> | null {
  const [code, library] = [join(folder, 'slow-fsync.c'), join(folder, 'slow-fsync.so')]
  writeFileSync(code, source)
  const { status } = spawnSync('gcc', ['-shared', '-fPIC', '-O2', '-o', library, code, '-ldl'])
  return status === 0 ? { LD_PRELOAD: library, SLOW_FSYNC_MS: String(ms) } : null
}
