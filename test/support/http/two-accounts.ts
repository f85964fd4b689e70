import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readConfig } from '../../../src/config/config.ts'
import { createSimulator, type Simulator } from '../../../src/simulator/simulator.ts'
import { gateway, type TestContext, type World, type WorldOptions } from '../gateway.ts'

export interface Accounts {
  world: World
  rtk: Simulator
  /** Writes the list, with this in place of what stands there. */
  list(change?: { rtk?: object; dyte?: object; more?: object[]; text?: string }): void
}

/** A gateway with a list of two accounts: Dyte's, which is `default`, and one of RealtimeKit. */
export async function twoAccounts(
  t: TestContext,
  options: WorldOptions = {},
  of: { rtk?: object } = {}
): Promise<Accounts> {
  const rtk = await createSimulator({ vendor: 'realtimekit', liveAfterMs: 0 })
  t.teardown(() => rtk.close())
  const file = join(t.testdir(), 'upstreams.json')
  const config: Record<string, unknown> = { ...options.config }
  let list: Accounts['list'] = () => {}
  const world = await gateway(t, {
    ...options,
    config,
    async before(store, simulator, folder) {
      await options.before?.(store, simulator, folder)
      const { url: base_url, org: org_id, key: api_key } = simulator
      const dyte = { name: 'default', provider: 'dyte', base_url, org_id, api_key, budget: '1000000/60' }
      const { account: account_id, app: app_id, token: api_token } = rtk
      const other = { name: 'rtk', provider: 'realtimekit', base_url: rtk.url, account_id, app_id, api_token }
      list = ({ rtk: change, dyte: changed, more = [], text } = {}) => {
        const all = [{ ...dyte, ...changed }, { ...other, budget: '1000000/60', ...of.rtk, ...change }, ...more]
        writeFileSync(file, text ?? JSON.stringify(all))
      }
      list()
      const { upstreams, rereadUpstreams } = readConfig({ LIVEGATE_UPSTREAMS_FILE: file })
      Object.assign(config, { upstreams, rereadUpstreams })
    }
  })
  return { world, rtk, list }
}

export const calls = ({ journal }: Simulator) => journal.map(({ method, target }) => `${method} ${target}`)
