import type { CommandRow, GroupRow } from './row.ts'

export const backup: CommandRow = {
  usage: 'backup <file>',
  about: 'copy the store, also beside a running gateway',
  options: [
    ['--with-keys', 'and the keys of its audit log, into <file>.keys'],
    ['--passphrase-file <file>', 'seal the keys with the first line of this file'],
    ['--plain', 'leave the keys readable']
  ],
  load: async () => (await import('../backup.ts')).backup
}

export const restore: CommandRow = {
  usage: 'restore <file>',
  about: 'put a backup where the store belongs, with the keys beside it, while no gateway runs',
  options: [
    ['--passphrase-file <file>', 'which the keys are sealed with'],
    ['--replace', 'in the place of a store, which is kept']
  ],
  load: async () => (await import('../restore.ts')).restore
}

export const store: GroupRow = {
  usage: 'store',
  about: 'the store as a whole',
  commands: [
    {
      usage: 'copy <file>',
      about: 'copy a SQLite file into the empty database that DATABASE_URL names, while no gateway runs',
      load: async () => (await import('../store-copy.ts')).copyStore
    },
    {
      usage: 'accept-older <hash>',
      about: 'go on with a store that is older than its last checkpoint, whose last hash this is; once',
      load: async () => (await import('../store.ts')).acceptOlderStore
    }
  ]
}
