import type { GroupRow } from './row.ts'

export const audit: GroupRow = {
  usage: 'audit',
  about: 'the audit log',
  commands: [
    {
      usage: 'verify',
      about: 'prove that nothing was changed, left out or cut',
      options: [
        ['--checkpoint <file>', 'a copy of checkpoints from another place (several times)', 'repeatable'],
        ['--public-key <file>', 'a trusted copy of the public key (several times, where one was lost)', 'repeatable']
      ],
      load: async () => (await import('../audit/audit-verify.ts')).verifyAudit
    },
    {
      usage: 'export',
      about: 'print the log',
      options: [
        ['--since <time>', 'at this time or later'],
        ['--until <time>', 'before this time'],
        ['--tenant <id>', 'of one tenant'],
        ['--after <number>', 'after this event'],
        ['--format <format>', 'ndjson, ocsf or csv', { default: 'ndjson' }]
      ],
      load: async () => (await import('../audit/audit-export.ts')).exportAudit
    },
    {
      usage: 'prune',
      about: 'remove what is older; that it was removed stays provable',
      options: [['--before <time>', 'a day, or a time with its zone', 'required']],
      load: async () => (await import('../audit/audit-keep.ts')).pruneAudit
    },
    {
      usage: 'init-keys <folder>',
      about: 'make both keys, once, for a store in PostgreSQL',
      load: async () => (await import('../audit/audit-init-keys.ts')).initKeys
    },
    {
      usage: 'rotate-key',
      about: 'sign with a new key from now on',
      options: [['--lost', 'when keys are lost for good: the new one says so itself; while no gateway runs']],
      load: async () => (await import('../audit/audit-keep.ts')).rotateAuditKey
    },
    {
      usage: 'schema',
      about: 'print the JSON Schema of an event',
      load: async () => (await import('../audit/audit-schema.ts')).auditSchema
    }
  ]
}
