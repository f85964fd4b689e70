/**
 * A gateway as a process of its own, for a campaign to kill: `serve` with the vendors of `UPSTREAMS`, a JSON list of names and
 * addresses. Prints where it listens.
 */
import { readConfig } from '../../../src/config/config.ts'
import { startGateway } from '../../../src/gateway.ts'
import { makeLogger } from '../../../src/log/logger.ts'
import { upstreamsOf } from './campaign-upstreams.ts'

const { UPSTREAMS = '[]', ...env } = process.env
const config = readConfig(env)
const { DYTE_ORG_ID = '', DYTE_API_KEY = '' } = env
const upstreams = upstreamsOf(DYTE_ORG_ID, DYTE_API_KEY, JSON.parse(UPSTREAMS))
const { url } = await startGateway({ config, logger: makeLogger(config.logLevel), upstreams })
console.log(`listens at ${url}`)
