import type { PresetRule } from '../../domain/preset.ts'
import { UsageError } from './io.ts'
import { readSwitch } from './live-limits.ts'

/** Options of a tenant that say what the tokens of its participants may allow. */
export interface PresetOptions {
  presets?: string
  serverStartsOnly?: string
}

const most = 100
const longest = 256

/** The rules that were named. @throws UsageError that names the option */
export function readPresetRule({ presets, serverStartsOnly }: PresetOptions): Partial<PresetRule> {
  return {
    ...(presets !== undefined && { presets: readNames(presets) }),
    ...(serverStartsOnly !== undefined && {
      serverStartsOnly: readSwitch('--server-starts-only', serverStartsOnly)
    })
  }
}

export function shownPresetRule({ presets, serverStartsOnly }: PresetRule) {
  return { presets, server_starts_only: serverStartsOnly }
}

/** `default` gives a tenant the usual ones again. */
function readNames(text: string): string[] | null {
  if (text === 'default') return null
  const names = [...new Set(text.split(',').map(name => name.trim()))]
  if (names.length > most || names.some(name => name === '' || name.length > longest))
    throw new UsageError(`--presets must be up to ${most} names joined by commas, or default`)
  return names
}
