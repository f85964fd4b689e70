import type { CommandRow } from './row.ts'

export const serve: CommandRow = {
  usage: 'serve',
  about: 'run the gateway; settings come from the environment',
  options: [['--accept-older-store <hash>', 'the same as `store accept-older <hash>` before it']],
  load: async () => (await import('../serve.ts')).serve
}

export const demo: CommandRow = {
  usage: 'demo',
  about: 'gateway, simulated vendor and two tenants, thrown away at the end',
  options: [
    ['--host <address>', 'listen there', { default: '127.0.0.1' }],
    ['--port <number>', 'listen there', { default: '3000' }],
    ['--vendor <url>', 'a simulated vendor that runs already'],
    ['--org <id>', 'its organization id'],
    ['--key <key>', 'its API key'],
    ['--cors-origin <origin>', 'a page that may call, like http://localhost:5173 (several times)', 'repeatable']
  ],
  load: async () => (await import('../demo.ts')).demo
}

export const doctor: CommandRow = {
  usage: 'doctor',
  about: 'whether all is well, and what to do about it; changes nothing',
  options: [
    ['--probe-meeting <id>', 'instead: find out how the vendor answers, with real livestreams in this meeting'],
    ['--upstream <name>', 'the vendor account that has the meeting'],
    ['--yes', 'begin: livestreams cost money']
  ],
  load: async () => (await import('../doctor/doctor.ts')).doctor
}

export const openapi: CommandRow = {
  usage: 'openapi',
  about: 'print the OpenAPI document',
  load: async () => (await import('../openapi.ts')).openapi
}

export const healthcheck: CommandRow = {
  usage: 'healthcheck',
  about: 'whether the gateway on this machine answers',
  load: async () => (await import('../healthcheck.ts')).healthcheck
}

export const status: CommandRow = {
  usage: 'status',
  about: 'what goes on: live runs, rates, quota, audit log, warnings',
  load: async () => (await import('../status/status.ts')).status
}

export const top: CommandRow = {
  usage: 'top',
  about: 'the same again and again, until a signal',
  options: [
    ['--interval <seconds>', 'pause between two looks', { default: '2' }],
    ['--times <number>', 'so many looks; default: no end']
  ],
  load: async () => (await import('../status/status.ts')).top
}
