import type { CommandRow } from './row.ts'

export const simulate: CommandRow = {
  usage: 'simulate',
  about: 'a stand-in for the vendor, with state and faults',
  options: [
    ['--host <address>', 'listen there'],
    ['--port <number>', 'listen there', { default: '4100' }],
    ['--vendor <name>', 'dyte or realtimekit'],
    ['--account <id>', 'RealtimeKit: the account'],
    ['--app <id>', 'the app'],
    ['--token <token>', 'API token it accepts'],
    ['--bad-token <answer>', '401 or 403'],
    ['--dropped <how>', 'operations no longer documented: gone or answer'],
    ['--org <id>', 'Dyte: organization id it accepts'],
    ['--key <key>', 'API key it accepts'],
    ['--contract <L1|L2>', 'before or since July 2023'],
    ['--meeting <id>', 'a meeting to begin with (several times)', 'repeatable'],
    ['--nothing-live <answer>', 'what active-livestream says then: 404, 400, 409, 500, null or empty'],
    ['--active-shows-ended', 'it shows the last livestream, IDLE or ERRORED, where there is one'],
    ['--stopping-for <ms>', 'so long a run goes on after a stop'],
    ['--restart-after <ms>', 'so long a start is refused after a stop'],
    ['--restart-refusal <answer>', 'with 400 or 409'],
    ['--validation <answer>', '422, which is strict, or 400'],
    ['--livestream-name <which>', 'pattern or any'],
    ['--live-after <ms>', 'from INVOKED to LIVE'],
    ['--start-while-live <answer>', '200, 409 or second'],
    ['--active-during-invoked <answer>', '200 or 404'],
    ['--stop-with-nothing-live <answer>', '200, 400, 404 or 409'],
    ['--stop-refusal <answer>', 'to a stop before LIVE: 400, 404 or 409 (none: it is taken)'],
    ['--livestream-id <how>', 'reused or new'],
    ['--lists <shape>', 'example or schema'],
    ['--quota <limit>', "the vendor's own: calls/seconds[,lock-out seconds]"]
  ],
  load: async () => (await import('../simulate.ts')).simulate
}
