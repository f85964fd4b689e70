import { UpstreamRefused } from '../../domain/refusals/failures.ts'

/** The vendor itself says no, in its own words: JSON, and not of its edge or of a proxy. */
export class VendorRefusal extends UpstreamRefused {}
