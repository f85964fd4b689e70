import t from 'tap'
import { beforeLeaving, onInterrupt, takeSignals } from '../../src/commands/process/shutdown.ts'
import { measured, startNode } from '../support/cli.ts'
import type { TestContext } from '../support/gateway.ts'
import { until } from '../support/until.ts'

/** A process that has taken its signals, says `ready`, and does what the script says. */
async function started(t: TestContext, script: string, command = 'simulate') {
  const source = `
    import fs from 'node:fs'
    import { Worker } from 'node:worker_threads'
    import { beforeLeaving, endWith, onInterrupt, onLogSignal, takeSignals } from './src/commands/process/shutdown.ts'
    takeSignals('${command}')
    const alive = setInterval(() => {}, 1_000)
    const never = () => new Promise(() => {})
    ${script}
    console.log('ready')`
  const child = startNode(t, ['--input-type=module', '-e', source], measured)
  await child.line(/ready/)
  return child
}

t.test('a signal ends a service that has nothing to finish yet with 0', async t => {
  const child = await started(t, '')
  child.signal('SIGTERM')
  t.match(await child.ended, { code: 0, stderr: '' })
})

t.test('an error that nobody caught ends it with 1 and one line, thrown or rejected', async t => {
  const [thrown, rejected] = await Promise.all([
    started(t, `process.once('SIGUSR1', () => { throw new Error('nobody caught this') })`),
    started(t, `process.once('SIGUSR1', () => { Promise.reject('nor this') })`)
  ])
  for (const child of [thrown, rejected]) child.signal('SIGUSR1')
  t.match(await thrown.ended, { code: 1, stderr: 'livegate: unexpected: nobody caught this\n' })
  t.match(await rejected.ended, { code: 1, stderr: 'livegate: unexpected: nor this\n' })
})

t.test('a process does what it has to do before it leaves', async t => {
  const child = await started(t, `beforeLeaving(async () => console.log('flushed'))`)
  child.signal('SIGINT')
  t.match(await child.ended, { code: 0, stdout: 'ready\nflushed\n' })
})

t.test('serve ignores SIGHUP, which ends the others', async t => {
  const [serve, demo] = await Promise.all([started(t, '', 'serve'), started(t, '', 'demo')])
  serve.signal('SIGHUP')
  demo.signal('SIGHUP')
  t.equal((await demo.ended).code, 0)
  serve.signal('SIGTERM')
  t.equal((await serve.ended).code, 0)
})

t.test('SIGUSR2 ends no gateway, which hears it as soon as it has a log; it ends the others', async t => {
  const hears = `process.once('SIGUSR1', () => { onLogSignal(() => console.log('turned')); console.log('has a log') })`
  const [serve, demo] = await Promise.all([started(t, hears, 'serve'), started(t, '', 'demo')])
  for (const child of [serve, demo]) child.signal('SIGUSR2')
  t.equal((await demo.ended).code, 0)
  serve.signal('SIGUSR1')
  await serve.line(/has a log/)
  serve.signal('SIGUSR2')
  await serve.line(/turned/)
  serve.signal('SIGTERM')
  t.match(await serve.ended, { code: 0, stdout: 'ready\nhas a log\nturned\n' })
})

t.test('a file that may not grow ends nothing', async t => {
  const child = await started(t, '')
  child.signal('SIGXFSZ')
  child.signal('SIGTERM')
  t.equal((await child.ended).code, 0)
})

t.test('a second signal ends it at once with 1, and so does an error that nobody caught', async t => {
  const script = `endWith({ close: never, withinMs: 60_000, onCause: ({ signal, err }) => console.log(signal ?? err.message) })`
  const [signalled, thrown] = await Promise.all([
    started(t, script),
    started(t, `${script}\nprocess.once('SIGUSR1', () => { throw new Error('nobody caught this') })`)
  ])
  signalled.signal('SIGTERM')
  await signalled.line(/SIGTERM/)
  signalled.signal('SIGINT')
  t.equal((await signalled.ended).code, 1)
  thrown.signal('SIGTERM')
  await thrown.line(/SIGTERM/)
  thrown.signal('SIGUSR1')
  t.equal((await thrown.ended).code, 1)
})

t.test('the ceiling ends it with 1, and so does what cannot be closed', async t => {
  const script = (close: string) => `endWith({ close: ${close}, withinMs: 50, onTrouble: e => console.log(e.message) })`
  const [late, broken] = await Promise.all([
    started(t, script('never')),
    started(t, script(`async () => { throw new Error('broken') }`))
  ])
  late.signal('SIGTERM')
  broken.signal('SIGTERM')
  t.match(await late.ended, { code: 1, stdout: 'ready\nnot closed within 50 ms\n' })
  t.match(await broken.ended, { code: 1, stdout: 'ready\nbroken\n' })
})

t.test('threads that hang in the system hold up no end: neither one of the pool nor one of its own', async t => {
  // process.exit would wait for them for ever. The pipe is full and nobody reads it.
  const hang = `
    const { spawnSync } = await import('node:child_process')
    const pipe = '${t.testdir()}/pipe'
    spawnSync('mkfifo', [pipe])
    const fd = fs.openSync(pipe, fs.constants.O_RDWR)
    const much = 200_000`
  const pool = `${hang}
    fs.write(fd, Buffer.alloc(much), () => {})`
  const worker = `${hang}
    new Worker("require('fs').writeSync(" + fd + ", Buffer.alloc(" + much + "))", { eval: true })
    endWith({ close: async () => {}, withinMs: 60_000 })`
  const children = [await started(t, pool), await started(t, worker)]
  for (const child of children) child.signal('SIGTERM')
  for (const child of children) t.equal((await child.ended).code, 0)
})

t.test('a main thread that hangs is killed after the ceiling', async t => {
  const block = `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)`
  const child = await started(
    t,
    `endWith({ withinMs: 50, async close() { await 0; setImmediate(() => ${block}) ; await never() } })`
  )
  child.signal('SIGTERM')
  t.equal((await child.ended).code, null)
})

t.test(
  'a command that may be interrupted hears each signal until it stops listening; the next one ends it',
  async t => {
    const child = await started(
      t,
      `let heard = 0
    const end = onInterrupt(() => {
      heard++
      console.log('heard ' + heard)
      if (heard === 2) end()
    })`,
      'doctor'
    )
    for (const times of [1, 2]) {
      child.signal('SIGINT')
      await child.line(new RegExp(`heard ${times}`))
    }
    child.signal('SIGINT')
    t.match(await child.ended, { code: null, stdout: 'ready\nheard 1\nheard 2\n' }, 'then it ends by the signal itself')
  }
)

t.test(
  'a command is ended by the signal itself; as the first process of a container, within half a second',
  async t => {
    const handlers = new Map<string, () => void>()
    const called: string[] = []
    const stubs = {
      on: (name: string, handler: () => void) => handlers.set(name, handler),
      removeAllListeners: (name: string) => called.push(`default for ${name}`),
      kill: (pid: number, signal: string) => called.push(`${signal} to ${pid === process.pid ? 'itself' : pid}`),
      execve: (_file: string, [, , code]: string[]) => called.push(code ?? '')
    }
    const { execve, ...others } = Object.fromEntries(Object.keys(stubs).map(name => [name, Reflect.get(process, name)]))
    Object.assign(process, stubs)
    takeSignals('tenant')
    beforeLeaving(() => new Promise(() => {}))
    const end = onInterrupt(() => called.push('heard'))
    handlers.get('SIGINT')?.()
    end()
    handlers.get('SIGINT')?.()
    Object.assign(process, others)
    t.equal(called.shift(), 'heard', 'unless it wants to hear of it')
    t.strictSame(called.splice(0), ['default for SIGINT', 'SIGINT to itself'])
    await until(() => called.length > 0)
    Object.assign(process, { execve })
    t.strictSame(called, ['process.exit(130)'])
  }
)
