import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { UpstreamAccount } from '../domain/upstream-account.ts'
import { checkFile } from '../domain/values/own-file.ts'
import type { Vendors } from '../upstream/vendors/vendor.ts'
import { vendors as allVendors } from '../upstream/vendors/vendors.ts'
import { type Environment, Input, type ReadFile, readText, withoutMark } from './environment.ts'
import { readAccounts, upstreamFiles } from './upstreams-file.ts'

/** Reads the vendor accounts alone: for commands that ask vendors, and after a change of their files. @throws ConfigError */
export function readUpstreams(
  env: Environment,
  readSecret: ReadFile = readText,
  vendors: Vendors = allVendors
): readonly UpstreamAccount[] {
  const input = new Input(env, readSecret)
  const accounts = readAccounts(input, vendors)
  input.finish()
  return accounts
}

/** The upstreams as their files have them now. */
export interface UpstreamsRead {
  /** Differs as soon as any of the files has changed. */
  readonly digest: string
  /** @throws ConfigError */
  accounts(): readonly UpstreamAccount[]
}

/** Makes what reads the upstreams again, all files at once; null where no file has any. */
export function reader(env: Environment, vendors: Vendors): (() => Promise<UpstreamsRead>) | null {
  const input = new Input(env, readText)
  const list = input.text('LIVEGATE_UPSTREAMS_FILE', '')
  if (upstreamFiles(input, '', vendors).length === 0) return null
  const read = async (path: string): Promise<string | null> => {
    try {
      checkFile(path, await stat(path))
      return withoutMark(await readFile(path, 'utf8'))
    } catch {
      return null
    }
  }
  return async () => {
    const listText = list === '' ? null : await read(resolve(list))
    const texts = new Map([[resolve(list), listText]])
    const others = upstreamFiles(input, listText ?? '', vendors).filter(path => !texts.has(path))
    for (const path of others) texts.set(path, await read(path))
    const known = (path: string): string => {
      const text = texts.get(path)
      if (text == null) throw new Error(`${path} cannot be read`)
      return text
    }
    return {
      digest: createHash('sha256')
        .update(JSON.stringify([...texts]))
        .digest('hex'),
      accounts: () => readUpstreams(env, known, vendors)
    }
  }
}
