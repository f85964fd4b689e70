import { Failure } from '../../domain/refusals/failures.ts'
import type { UpstreamAccount } from '../../domain/upstream-account.ts'

/** A list of upstreams that can't be used instead of the one in use; the message says why. */
export class UpstreamsRejected extends Error {}

/** The vendor's answer about an account. @throws UpstreamsRejected when it says no, or can't be asked */
export async function vendorAnswer<T>({ name }: UpstreamAccount, answer: Promise<T | null | false>): Promise<T> {
  const said = await answer.catch(error => {
    if (!(error instanceof Failure)) throw error
    throw new UpstreamsRejected(`upstream ${name} could not be asked: ${error.message}`, { cause: error })
  })
  if (said === null || said === false)
    throw new UpstreamsRejected(`the vendor refuses the credentials of upstream ${name}`)
  return said
}
