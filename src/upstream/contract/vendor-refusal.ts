import { UpstreamCredentialsRefused, UpstreamRefused } from '../../domain/refusals/failures.ts'

/** The vendor itself says no, in its own words: JSON, and not of its edge or of a proxy. */
export class VendorRefusal extends UpstreamRefused {}

/** The credential itself is not taken. */
export class CredentialRefused extends UpstreamCredentialsRefused {}

/** A 403 that may be about the credential, or about what was asked for: another question tells (`suspicion.ts`). */
export class Forbidden extends UpstreamRefused {}

/** Nothing is behind the path: the account or the app is wrong, or the vendor no longer has the operation. */
export class NoRoute extends UpstreamRefused {}
