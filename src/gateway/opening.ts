import type { Config } from '../config/config.ts'
import { waitBriefly } from '../lifecycle/context.ts'

/** Closes what was opened when the rest can't be. */
export async function opening<T>(
  { shutdownMs }: Pick<Config, 'shutdownMs'>,
  work: (opened: (() => unknown)[], closeAll: () => Promise<void>) => Promise<T>
): Promise<T> {
  const opened: (() => unknown)[] = []
  const closeAll = async (): Promise<void> => {
    while (opened.length > 0) await opened.pop()?.()
  }
  try {
    return await work(opened, closeAll)
  } catch (error) {
    // A part that hangs while it closes must not hide why the start failed.
    await waitBriefly(closeAll(), shutdownMs)
    throw error
  }
}
