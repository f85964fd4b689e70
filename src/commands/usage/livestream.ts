import type { GroupRow, OptionRow } from './row.ts'

/** How long a command that stops something waits for it. */
export const wait: OptionRow = ['--wait <seconds>', 'wait so long until all is stopped', { default: '60' }]

export const livestream: GroupRow = {
  usage: 'livestream',
  about: 'what runs at the vendor, and the end of it',
  commands: [
    {
      usage: 'list',
      about: 'runs that go on, the oldest first',
      options: [
        ['--live', 'as Livegate knows it'],
        ['--tenant <id>', 'of one tenant']
      ],
      load: async () => (await import('../livestream/list-runs.ts')).listRuns
    },
    {
      usage: 'stop [meeting_id]',
      about: 'stop one meeting, or with --all what is live now',
      options: [['--all', 'all that is live or being started'], ['--tenant <id>', 'with --all: of one tenant'], wait],
      load: async () => (await import('../livestream/stop.ts')).stopLivestreams
    }
  ]
}
