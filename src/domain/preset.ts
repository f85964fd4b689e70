import { type Static, Type } from 'typebox'
import { Timestamp, VendorText } from './values/schema.ts'

/** A preset in a list (contract#presets): what a participant's token allows. It is the whole app's. */
export const Preset = Type.Object({
  id: Type.String({ maxLength: 64, examples: ['182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e'] }),
  name: VendorText(undefined, 'livestream_viewer'),
  created_at: Type.Optional(Timestamp()),
  updated_at: Type.Optional(Timestamp())
})
export type Preset = Static<typeof Preset>

/** A preset by its name, and whether it lets a browser start a livestream or a recording by itself. */
export interface PresetRights {
  name: string
  mayBroadcast: boolean
}

/** Rules of a tenant for what the tokens of its participants may allow. */
export interface PresetRule {
  /** Names of the presets that it may give; null: the usual ones. */
  readonly presets: readonly string[] | null
  /** Whether a token may let no browser start a livestream or a recording: then only the server does. */
  readonly serverStartsOnly: boolean
}

export const usualPresetRule: PresetRule = { presets: null, serverStartsOnly: false }

/** Whether the tenant may give this preset: one that it was allowed by name, or else one of the usual. */
export function mayGive({ presets }: Pick<PresetRule, 'presets'>, name: string): boolean {
  if (presets !== null) return presets.includes(name)
  return name === 'livestream_host' || name === 'livestream_viewer' || name.startsWith('group_call_')
}
