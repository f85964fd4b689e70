import { wait } from './livestream.ts'
import type { GroupRow, OptionRow } from './row.ts'

const nameAndLimits: readonly OptionRow[] = [
  ['--name <text>', 'for people'],
  ['--read-limit <calls/seconds[,burst]>', 'like 600/60 or 600/60,100'],
  ['--write-limit <calls/seconds[,burst]>', 'like 60/60'],
  ['--max-duration <duration>', 'longest run, like 4h; none'],
  ['--default-duration <duration>', 'length of a run that names none, like 2h; none'],
  ['--max-live <number>', 'runs at the same time; none'],
  ['--minutes-per-month <number>', 'live minutes a calendar month (UTC); none'],
  ['--stop-with-meeting <on|off>', 'whether a run ends with its meeting'],
  ['--presets <names>', 'presets that it may give to participants, like a,b; default'],
  ['--server-starts-only <on|off>', 'refuse presets that let a browser start or record by itself']
]

const webhook: GroupRow = {
  usage: 'webhook',
  about: 'the address that is told of the events of a tenant',
  commands: [
    {
      usage: 'set <tenant> <address>',
      about: 'make, change or enable it; a new secret is shown this once',
      options: [['--rotate-secret', 'a new secret, which signs beside the one of before for 24 hours']],
      load: async () => (await import('../tenant/webhook.ts')).setWebhook
    },
    {
      usage: 'show <tenant>',
      about: 'its address, and how its deliveries go',
      load: async () => (await import('../tenant/webhook.ts')).showTenantWebhook
    },
    {
      usage: 'remove <tenant>',
      about: 'take it away with all that waits',
      load: async () => (await import('../tenant/webhook.ts')).removeWebhook
    },
    {
      usage: 'test <tenant>',
      about: 'send a test from this machine',
      load: async () => (await import('../tenant/webhook.ts')).testWebhook
    }
  ]
}

export const tenant: GroupRow = {
  usage: 'tenant',
  about: 'customers of the organisation',
  commands: [
    {
      usage: 'create <id>',
      about: 'add a tenant',
      options: [...nameAndLimits, ['--upstream <name>', 'vendor account']],
      load: async () => (await import('../tenant.ts')).createTenant
    },
    {
      usage: 'update <id>',
      about: 'change a tenant',
      options: nameAndLimits,
      load: async () => (await import('../tenant.ts')).updateTenant
    },
    {
      usage: 'move <id>',
      about: 'make what is new of it at another vendor account',
      options: [['--upstream <name>', 'vendor account', 'required']],
      load: async () => (await import('../tenant.ts')).moveTenant
    },
    { usage: 'list', about: 'all tenants', load: async () => (await import('../tenant.ts')).listTenants },
    { usage: 'show <id>', about: 'one tenant', load: async () => (await import('../tenant.ts')).showTenant },
    {
      usage: 'suspend <id>',
      about: 'refuse its keys until it is resumed',
      options: [['--stop-all', 'also stop what it has live'], wait],
      load: async () => (await import('../tenant.ts')).suspendTenant
    },
    {
      usage: 'resume <id>',
      about: 'accept its keys again',
      load: async () => (await import('../tenant.ts')).resumeTenant
    },
    webhook
  ]
}

export const key: GroupRow = {
  usage: 'key',
  about: 'keys of tenants',
  commands: [
    {
      usage: 'create <tenant>',
      about: 'make a key; it is shown this once',
      options: [
        ['--preset <name>', 'viewer, operator or owner'],
        ['--scope <scope>', 'one scope (several times)', 'repeatable'],
        ['--expires <duration>', 'like 90d'],
        ['--name <text>', 'for people']
      ],
      load: async () => (await import('../key.ts')).createKey
    },
    {
      usage: 'rotate <key_id>',
      about: 'make the next key; it is shown this once',
      options: [
        ['--overlap <duration>', 'until the old one ends, like 24h', { default: '24h' }],
        ['--expires <duration>', 'end of the new one, like 90d; else that of the old one']
      ],
      load: async () => (await import('../key.ts')).rotateKey
    },
    {
      usage: 'list [tenant]',
      about: 'keys, without their secrets',
      load: async () => (await import('../key.ts')).listKeys
    },
    {
      usage: 'revoke <key_id>',
      about: 'end a key and its successors within 5 s',
      load: async () => (await import('../key.ts')).revokeKey
    }
  ]
}

export const meeting: GroupRow = {
  usage: 'meeting',
  about: 'which meeting belongs to which tenant',
  commands: [
    {
      usage: 'assign <tenant> [meeting_id]',
      about: 'give meetings to a tenant',
      options: [
        ['--file <ids.txt>', 'one id a line'],
        ['--upstream <name>', 'the vendor account that has them'],
        ['--force', 'also when it is live, or the vendor has no such meeting']
      ],
      load: async () => (await import('../meeting.ts')).assignMeetings
    },
    {
      usage: 'release <meeting_id>',
      about: 'take a meeting from its tenant',
      options: [['--force', 'also when it is live']],
      load: async () => (await import('../meeting.ts')).releaseMeeting
    },
    {
      usage: 'list [tenant]',
      about: 'assigned meetings',
      load: async () => (await import('../meeting.ts')).listMeetings
    }
  ]
}
