#!/bin/sh
# The command `livegate` of the package and the image: the build, with the Node and the flags that it is measured with.
# Usage: livegate [--env-file=FILE] COMMAND …
set -eu
here=$(dirname "$(readlink -f "$0")")
case $(uname -m) in aarch64) machine=arm64 ;; *) machine=x64 ;; esac
# The Node that came with the package: in its own folder, beside it, or in a clone.
for modules in "$here/node_modules" "$here/.." "$here/../node_modules" "$here/../.."; do
  node=$modules/node-linux-$machine/bin/node
  [ -x "$node" ] && break
  node=node
done
if [ "$node" = node ]; then
  version=$(node --version 2>/dev/null) || version=none
  case $version in
    v2[4-9].* | v[3-9][0-9].*) ;;
    *)
      echo "livegate: needs Node 24 or newer in the PATH, found $version" >&2
      exit 1
      ;;
  esac
fi
settings=
case ${1:-} in
  --env-file=* | --env-file-if-exists=*)
    settings=$1
    shift
    ;;
esac
# What Node has compiled is kept beside the build, where that can be written, and saves a tenth of a start.
export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-$here/compiled}"
# One place to take memory from instead of eight for each core, which gives back what is free at its end, and large pieces at once; a heap whose young part stays small, and whose old one grows in small
# steps and keeps to a part of the memory that there is; no second, larger compilation of the one WebAssembly that there is, undici's parser of answers:
# docs/benchmarks.md says what each saves.
export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-1}"
export MALLOC_TRIM_THRESHOLD_="${MALLOC_TRIM_THRESHOLD_:-131072}"
export MALLOC_MMAP_THRESHOLD_="${MALLOC_MMAP_THRESHOLD_:-65536}"
flags='--max-semi-space-size=4 --max-old-space-size-percentage=40 --heap-growing-percent=20 --no-wasm-tier-up --no-wasm-dynamic-tiering'
exec "$node" ${settings:+"$settings"} $flags "$here/lib/cli.js" "$@"
