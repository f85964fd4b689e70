import { join } from 'node:path'
import { serve } from './process.ts'
import type { VendorCounts, VendorSettings } from './upstream.ts'

export interface Vendor {
  readonly url: string
  /** Forgets the counts so far. */
  set(settings: Partial<VendorSettings>): Promise<void>
  counts(): Promise<VendorCounts>
  stop(): Promise<void>
}

/** The cheap vendor, in a process of its own. */
export async function startVendor(folder: string): Promise<Vendor> {
  const { url, stop } = await serve({ name: 'vendor', folder, args: [join(import.meta.dirname, 'upstream.ts')] })
  return {
    url,
    stop,
    async set(settings) {
      const { ok } = await fetch(`${url}/bench`, { method: 'POST', body: JSON.stringify(settings) })
      if (!ok) throw new Error('the vendor took no settings')
    },
    counts: async () => (await fetch(`${url}/bench`)).json() as Promise<VendorCounts>
  }
}
