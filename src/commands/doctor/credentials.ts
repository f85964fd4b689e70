import { Failure } from '../../domain/refusals/failures.ts'
import type { UpstreamAccount } from '../../domain/upstream-account.ts'
import type { Secret } from '../../domain/values/secret.ts'
import { type CredentialFinding, type Verified, verifyCredential } from '../../upstream/account/verify-credential.ts'
import { type InspectorOptions, VendorInspector, whyNoAnswer } from '../../upstream/transport/vendor-inspector.ts'
import { type Check, failed, ok, type Verdict, warning } from './check.ts'
import { checkClock } from './clock.ts'

/** Shows each credential of an upstream to its vendor, and compares the clocks by the first answer that comes. */
export async function checkCredentials(
  account: UpstreamAccount,
  options: Pick<InspectorOptions, 'deadlineMs' | 'clock'>
): Promise<Check[]> {
  const inspector = new VendorInspector({ account, ...options })
  try {
    const results = await Promise.all(account.credentials.map(credential => verified(inspector, account, credential)))
    const isAnyTaken = results.some(result => 'finding' in result && result.finding === 'taken')
    const several = account.credentials.length > 1
    const checks = results.map((result, i): Check => {
      const subject = `the upstream ${account.name}${several ? `, number ${i + 1}` : ''}`
      const verdict = 'finding' in result ? judge(result, account) : failed(unreachable(result, account))
      // One of two is enough to work with: it is the way in which they are replaced.
      return {
        check: 'credentials',
        subject,
        ...(isAnyTaken && verdict.status === 'failed' ? lesser(verdict) : verdict)
      }
    })
    const answered = results.find(result => 'finding' in result)
    return answered === undefined ? checks : [...checks, checkClock(account.name, answered.heard)]
  } finally {
    await inspector.close()
  }
}

/** Examines one credential. A missing answer is a finding too. */
async function verified(
  inspector: VendorInspector,
  account: UpstreamAccount,
  credential: Secret
): Promise<Verified | Failure> {
  try {
    return await verifyCredential(inspector, account, credential)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return error
  }
}

function lesser({ message }: Verdict): Verdict {
  return warning(`${message}; the other one is taken`)
}

function unreachable(failure: Failure, account: UpstreamAccount): string {
  const way = account.proxy === undefined ? 'the network (no proxy is used)' : 'the proxy (HTTPS_PROXY, NO_PROXY)'
  return `${whyNoAnswer(failure, account)}; look at the base address and ${way}`
}

const settings = {
  dyte: { credential: 'org_id or api_key (DYTE_ORG_ID, DYTE_API_KEY)', base: 'base_url (DYTE_BASE_URL)' },
  realtimekit: { credential: 'api_token (REALTIMEKIT_API_TOKEN)', base: 'base_url (REALTIMEKIT_BASE_URL)' }
}
const accountSetting = 'account_id (REALTIMEKIT_ACCOUNT_ID)'
const appSetting = 'app_id (REALTIMEKIT_APP_ID)'

function judge({ finding, heard }: Verified, { provider, baseUrl, proxy }: UpstreamAccount): Verdict {
  const { status } = heard
  const { credential, base } = settings[provider]
  const which =
    provider === 'dyte' ? 'it does not say whether organisation or key is wrong' : 'the token is wrong, or was deleted'
  const verdicts: Record<CredentialFinding, Verdict> = {
    taken: ok(`taken by ${baseUrl.origin}${proxy === undefined ? '' : ` through the proxy ${proxy.origin}`}`),
    refused: failed(`refused with ${status}; ${which}: correct ${credential}`),
    inactive: failed(`refused with ${status}; the token is known, but not active: make another, and set ${credential}`),
    refused_account: failed(
      `refused with ${status}, although the token is good: correct ${accountSetting}, or give the token the permission Realtime for that account`
    ),
    unknown_account: failed(`there is no such account there (${status}): correct ${accountSetting}, or ${base}`),
    unknown_app: failed(`the token is good for the account, which has no such app (${status}): correct ${appSetting}`),
    not_allowed: failed(
      `the vendor knows the credential, but does not let it read meetings (${status}): give it that right`
    ),
    elsewhere: failed(`what answers at ${baseUrl.origin} (${status}) is not this API: correct ${base}, path and all`),
    throttled: warning('the vendor asks to slow down, so it could not be tried: come again later'),
    failing: failed(`the vendor fails (${status}): come again later, and look at its status page`)
  }
  return verdicts[finding]
}
