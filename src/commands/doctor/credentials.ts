import { Failure } from '../../domain/refusals/failures.ts'
import type { UpstreamAccount } from '../../domain/upstream-account.ts'
import { type CredentialFinding, type Verified, verifyCredential } from '../../upstream/account/verify-credential.ts'
import { type InspectorOptions, VendorInspector, whyNoAnswer } from '../../upstream/transport/vendor-inspector.ts'
import { baseUrlField, bothNames } from '../../upstream/vendors/settings.ts'
import { type Vendor, type Vendors, vendorNamed } from '../../upstream/vendors/vendor.ts'
import { vendors as allVendors } from '../../upstream/vendors/vendors.ts'
import { type Check, failed, ok, type Verdict, warning } from './check.ts'
import { checkClock } from './clock.ts'

/** Shows each credential of an upstream to its vendor, and compares the clocks by the first answer that comes. */
export async function checkCredentials(
  account: UpstreamAccount,
  options: Pick<InspectorOptions, 'deadlineMs' | 'clock'>,
  vendors: Vendors = allVendors
): Promise<Check[]> {
  const vendor = vendorNamed(vendors, account.provider)
  const inspector = new VendorInspector({ account, ...options })
  try {
    const results = await Promise.all(
      account.credentials.map(credential => verified(() => verifyCredential(inspector, vendor, account, credential)))
    )
    const isAnyTaken = results.some(result => 'finding' in result && result.finding === 'taken')
    const several = account.credentials.length > 1
    const checks = results.map((result, i): Check => {
      const subject = `the upstream ${account.name}${several ? `, number ${i + 1}` : ''}`
      const verdict = 'finding' in result ? judge(result, vendor, account) : failed(unreachable(result, account))
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

/** A finding, or the failure that no answer came. */
async function verified(verify: () => Promise<Verified>): Promise<Verified | Failure> {
  try {
    return await verify()
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

function judge({ finding, why, heard }: Verified, { settings }: Vendor, { baseUrl, proxy }: UpstreamAccount): Verdict {
  const { status } = heard
  const base = bothNames(settings, baseUrlField)
  const verdicts: Record<CredentialFinding, Verdict> = {
    taken: ok(`taken by ${baseUrl.origin}${proxy === undefined ? '' : ` through the proxy ${proxy.origin}`}`),
    refused: failed(why ?? `refused with ${status}`),
    not_allowed: failed(
      `the vendor knows the credential, but does not let it read meetings (${status}): give it that right`
    ),
    elsewhere: failed(`what answers at ${baseUrl.origin} (${status}) is not this API: correct ${base}, path and all`),
    throttled: warning('the vendor asks to slow down, so it could not be tried: come again later'),
    failing: failed(`the vendor fails (${status}): come again later, and look at its status page`)
  }
  return verdicts[finding]
}
