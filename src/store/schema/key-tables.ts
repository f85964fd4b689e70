export interface ApiKeysTable {
  id: string
  tenant_id: string
  name: string
  scopes: string
  digest: string
  created_at: number
  expires_at: number | null
  revoked_at: number | null
  predecessor_id: string | null
  revision: number
}

/** The hour in which a key was used last. */
export interface KeyUsesTable {
  key_id: string
  used_at: number
}
