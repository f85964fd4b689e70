import { type TSchema, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { lostKeys } from '../../src/audit/proof/reigns.ts'
import { LogVerifier } from '../../src/audit/proof/verify.ts'
import { AuditEvent } from '../../src/domain/audit/audit-event.ts'
import type { Store } from '../../src/store/store.ts'
import { auditEventsIn } from '../../src/store/tables/audit/audit-events.ts'
import { auditNotesIn } from '../../src/store/tables/audit/audit-notes.ts'
import { searchFor } from './campaigns/search.ts'

const schema = Compile(AuditEvent)
/** The same, and no object has more than what is named. To clean each event would cost ten times as much as to check it. */
const nothingElse = Compile(closed(AuditEvent))

/**
 * Checks what holds for every event, whatever a test was about: it fits the schema and says nothing that the schema doesn't name, it
 * is a link of the chain, and no secret stands in it, in any usual spelling.
 * @throws Error that names the event
 */
export async function checkAuditLog(store: Store, secrets: Record<string, string>): Promise<void> {
  const found = searchFor(secrets)
  const verifier = await verifierOf(store)
  for await (const events of auditEventsIn(store).walk()) {
    for (const stored of events) {
      const finding = verifier.next(stored)
      if (finding !== null) throw new Error(`audit event ${finding.seq}: ${finding.why}`)
      checkForm(stored.seq, stored.event)
    }
    // A search for each event would cost ten times as much.
    if (found(events.map(({ event }) => event).join('\n')).length === 0) continue
    for (const { seq, event } of events) {
      const names = found(event)
      if (names.length > 0) throw new Error(`audit event ${seq} holds ${names.join(' and ')}`)
    }
  }
  const end = verifier.end()
  if ('why' in end) throw new Error(`the audit log, event ${end.seq}: ${end.why}`)
}

function checkForm(seq: number, text: string): void {
  const event: unknown = JSON.parse(text)
  if (!schema.Check(event)) {
    const [error] = schema.Errors(event)
    throw new Error(`audit event ${seq} does not fit its schema: ${error?.instancePath} ${error?.message}, ${text}`)
  }
  if (!nothingElse.Check(event) || JSON.stringify(event) !== text) {
    throw new Error(`audit event ${seq} says what its schema does not name: ${text}`)
  }
}

async function verifierOf(store: Store): Promise<LogVerifier> {
  const notes = auditNotesIn(store)
  const { publicKey } = await notes.keys()
  if (publicKey === null) throw new Error('the audit log was never signed')
  const stored = await notes.list()
  const trusted = { publicKey, trustedKey: publicKey, alsoTrusted: lostKeys(stored) }
  return new LogVerifier({ log: await notes.logName(), notes: stored, ...trusted })
}

/** @throws Error for a schema that it does not know how to close */
function closed(schema: TSchema): TSchema {
  if (Type.IsObject(schema)) {
    const properties = Object.entries(schema.properties).map(([name, one]) => [name, closed(one)])
    return { ...schema, properties: Object.fromEntries(properties), additionalProperties: false }
  }
  if (Type.IsArray(schema)) return { ...schema, items: closed(schema.items) }
  if (Type.IsUnion(schema)) return { ...schema, anyOf: schema.anyOf.map(closed) }
  if ('properties' in schema || 'items' in schema || 'allOf' in schema) throw new Error(JSON.stringify(schema))
  return schema
}
