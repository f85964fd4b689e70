import { auditReads } from '../audit/rollup.ts'
import { choice, optionalNumber, place } from './setting.ts'

/** Variables of the audit log. */
export const auditLog = {
  LIVEGATE_AUDIT_READS: choice(
    'rollup',
    auditReads,
    'Reads that the audit log has: `rollup` (the first, then a count a minute), `all` or `none`.'
  ),
  LIVEGATE_AUDIT_RETENTION_DAYS: optionalNumber(
    1,
    36_500,
    'Audit events older than so many days are removed, and a signed note says so.',
    'all are kept'
  ),
  LIVEGATE_DATA_DIR: place("The folder of the audit log's keys and its last checkpoint.", "the store's folder"),
  LIVEGATE_AUDIT_SIGNING_KEY_FILE: place(
    'The key that signs the audit log (Ed25519, PEM), given by file.',
    'made once, in the folder above'
  ),
  LIVEGATE_AUDIT_FINGERPRINT_KEY_FILE: place(
    'The key of the fingerprints in the audit log (64 hex digits), given by file.',
    'made once, in the folder above'
  )
}
