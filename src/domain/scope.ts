import { Type } from 'typebox'

/** Permissions of a key. The order is the one in which documentation and CLI list them. */
export const scopes = [
  'livestreams:read',
  'livestreams:start',
  'livestreams:stop',
  'livestreams:manage',
  'stream-key:read',
  'meetings:read',
  'meetings:write',
  'stage:manage',
  'participants:read',
  'participants:manage',
  'webhooks:manage',
  'audit:read',
  'tokens:mint',
  'keys:rotate'
] as const

export type Scope = (typeof scopes)[number]
export const Scope = Type.Enum([...scopes])

/** Sets of scopes that are asked for often, by name. */
export const presets = {
  viewer: ['livestreams:read', 'meetings:read'],
  operator: [
    'livestreams:read',
    'meetings:read',
    'livestreams:start',
    'livestreams:stop',
    'participants:read',
    'participants:manage'
  ],
  owner: [...scopes]
} satisfies Record<string, Scope[]>

export type Preset = keyof typeof presets

export function isScope(text: string): text is Scope {
  return (scopes as readonly string[]).includes(text)
}

export function isPreset(text: string): text is Preset {
  return Object.hasOwn(presets, text)
}
