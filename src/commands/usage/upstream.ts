import type { GroupRow } from './row.ts'

export const upstream: GroupRow = {
  usage: 'upstream',
  about: 'vendor accounts',
  commands: [
    {
      usage: 'status',
      about: "what is left of the vendor's quota",
      load: async () => (await import('../upstream.ts')).showUpstreams
    }
  ]
}

export const webhook: GroupRow = {
  usage: 'webhook',
  about: 'news that vendors send by themselves',
  commands: [
    {
      usage: 'register [base-url]',
      about: 'let them be sent to this gateway; default: LIVEGATE_PUBLIC_URL',
      options: [['--upstream <name>', 'of one vendor account; default: of all']],
      load: async () => (await import('../webhook.ts')).registerWebhooks
    },
    {
      usage: 'list',
      about: 'all that are registered, for whomever',
      options: [['--upstream <name>', 'of one vendor account; default: of all']],
      load: async () => (await import('../webhook.ts')).listWebhooks
    },
    {
      usage: 'unregister [base-url]',
      about: 'the reverse of register',
      options: [['--upstream <name>', 'of one vendor account; default: of all']],
      load: async () => (await import('../webhook.ts')).unregisterWebhooks
    }
  ]
}

export const operation: GroupRow = {
  usage: 'operation',
  about: 'calls that went to the vendor',
  commands: [
    {
      usage: 'list',
      about: 'the newest first',
      options: [
        ['--open', 'only those whose outcome is not known'],
        ['--tenant <id>', 'of one tenant'],
        ['--limit <number>', 'so many', { default: '100' }]
      ],
      load: async () => (await import('../operation.ts')).listOperations
    },
    {
      usage: 'show <id>',
      about: 'one of them, with what the vendor said',
      load: async () => (await import('../operation.ts')).showOperation
    },
    {
      usage: 'resolve <id> <outcome>',
      about: 'end one by hand: done, failed or stop-repeating',
      load: async () => (await import('../operation.ts')).resolveOperation
    }
  ]
}
