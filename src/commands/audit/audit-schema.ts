import { AuditEvent } from '../../domain/audit/audit-event.ts'
import type { Io } from '../process/io.ts'

/** Prints the JSON Schema of an event of the audit log, for those who read it elsewhere. */
export async function auditSchema(io: Io): Promise<void> {
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Livegate audit event',
    ...AuditEvent
  }
  io.out(JSON.stringify(schema, null, 2))
}
