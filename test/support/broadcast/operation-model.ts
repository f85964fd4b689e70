import { Writable } from 'node:stream'
import { presets } from '../../../src/domain/scope.ts'
import { type Gateway, startGateway } from '../../../src/gateway.ts'
import { makeLogger } from '../../../src/log/logger.ts'
import type { JournalEntry, SimulatorOptions } from '../../../src/simulator/simulator.ts'
import type { OperationsTable } from '../../../src/store/schema/database.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { manualClock } from '../clock.ts'
import { plenty } from '../config.ts'
import { addKey, client, configFor, gateway, type Reply, type TestContext } from '../gateway.ts'
import { openStoreHere } from '../store.ts'

export const deadlineMs = 200
const settleMs = 30_000

/** A gateway that can be restarted, on one clock with its vendor. */
export async function restartable(t: TestContext, simulator: SimulatorOptions) {
  const clock = manualClock()
  const config = { deadlineMs, readLimit: plenty, writeLimit: plenty }
  const world = await gateway(t, { clock, config, simulator: { ...simulator, now: clock.now } })
  const { store, storeFile } = world
  const restarted = { ...configFor(world.simulator, storeFile), ...config }
  const logger = makeLogger('info', new Writable({ write: (_chunk, _encoding, done) => done() }))
  let running: Gateway = world
  t.teardown(() => running.close())
  const pull = (): Promise<void> => running.directory.pull()

  return {
    simulator: world.simulator,
    store,
    clock,
    pull,
    url: () => running.url,
    /** `meanwhile`: what is left behind by one that did not end gracefully. */
    async restart(meanwhile = async (): Promise<void> => {}): Promise<void> {
      await running.close()
      await meanwhile()
      running = await startGateway({ config: restarted, logger, clock, open: openStoreHere })
    },
    /** Else the gateway would think that it hasn't read its store for so long. */
    async pass(ms: number): Promise<void> {
      clock.advance(ms)
      await pull()
    },
    newKey: () => addKey(store, 'acme', presets.owner),
    async newMeeting(): Promise<string> {
      const { id } = world.simulator.addMeeting()
      await meetingsIn(store).assign('acme', 'default', [id], clock.now())
      await pull()
      return id
    }
  }
}
export type Restartable = Awaited<ReturnType<typeof restartable>>

/** The machine of an operation. A settled one never changes. */
const next: Record<string, string[]> = {
  new: ['sent', 'unknown', 'done', 'failed'],
  sent: ['sent', 'unknown', 'done', 'failed'],
  unknown: ['unknown', 'done', 'failed']
}

type Row = OperationsTable

/** One meeting: what must hold of it, whatever is done to it. */
export class MeetingModel {
  readonly world: Restartable
  readonly id: string
  readonly history: string[] = []
  rows = new Map<string, Row>()
  token: { id: string; key: string }
  /** When runs began that no call of ours has begun. */
  readonly browserStartsMs: number[] = []
  /** Runs that calls of ours have begun after everybody had given them up. */
  lateStarts = 0
  /** Whether a stop was the last thing that anybody wanted. */
  endsStopped = false
  /** When a stop was confirmed last. */
  stoppedAtMs = Number.NEGATIVE_INFINITY
  /** By idempotency key: the calls that were made under it, by their request ids. */
  readonly calls = new Map<string, string>()
  /** By operation: what was replayed of it. */
  readonly replays = new Map<string, string>()
  /** Starts that the vendor has certainly not executed, or certainly has, by request id. */
  readonly executed = new Map<string, boolean>()

  constructor(world: Restartable, id: string, token: { id: string; key: string }) {
    this.world = world
    this.id = id
    this.token = token
  }

  /** So lately that the run which it ended may still be shown. */
  wasStopped(): boolean {
    return this.world.clock.now() - this.stoppedAtMs < settleMs
  }

  get startPath(): string {
    return `/v2/meetings/${this.id}/livestreams`
  }

  get stopPath(): string {
    return `/v2/meetings/${this.id}/active-livestream/stop`
  }

  call(path: string, headers: Record<string, string> = {}): Promise<Reply> {
    return client(this.world.url(), `Bearer ${this.token.key}`)('POST', path, {}, headers)
  }

  /** Starts that the vendor was asked for. */
  starts(from = 0): JournalEntry[] {
    return this.world.simulator.journal.slice(from).filter(({ target }) => target === this.startPath)
  }

  /** The ids of the livestreams that run now. */
  live(): string[] {
    const ours = this.world.simulator.livestreams().filter(({ meeting_id }) => meeting_id === this.id)
    return ours.filter(({ sessions }) => sessions.some(isOn)).map(({ id }) => id)
  }

  /** The vendor does what it was asked for, and nobody hears its answer. */
  doLate(kind: 'start' | 'stop'): void {
    if (kind === 'stop') this.endRuns()
    else this.world.simulator.startFromBrowser(this.id)
    if (kind === 'start') this.lateStarts++
  }

  endRuns(): void {
    for (const id of this.live()) this.world.simulator.end(id)
  }

  openStart(rows = this.rows): Row | undefined {
    return [...rows.values()].find(row => row.kind === 'start' && isOpen(row))
  }

  /** Answers that are remembered under an idempotency key. */
  remembered(key: string | null): Row | undefined {
    return [...this.rows.values()].find(
      row => key !== null && row.request_id === this.calls.get(key) && row.idempotency_fingerprint !== null
    )
  }

  async read(): Promise<Map<string, Row>> {
    const { engine, sql } = this.world.store
    const query = sql.selectFrom('operations').selectAll().where('meeting_id', '=', this.id)
    return new Map((await engine.read(query.compile())).map(row => [row.id, row]))
  }

  /** Reads the table and compares it with what it was, with the machine and with the truth. @throws Error */
  async check(): Promise<void> {
    const rows = await this.read()
    for (const [id, before] of this.rows) {
      const row = rows.get(id)
      must(row !== undefined, 'an operation is gone', before)
      if (!isOpen(before))
        must(JSON.stringify(row) === JSON.stringify(before), 'a settled one has changed', before, row)
      for (const column of ['tenant_id', 'key_id', 'kind', 'request_id', 'sent_at', 'request_fingerprint'] as const) {
        must(row[column] === before[column], `${column} has changed`, before, row)
      }
    }
    for (const row of rows.values()) {
      const before = this.rows.get(row.id)?.state ?? 'new'
      must(next[before]?.includes(row.state) ?? row.state === before, `${before} has become ${row.state}`, row)
      must((row.settled_at === null) === isOpen(row), 'settled without a time, or the other way round', row)
      must(row.state !== 'sent', 'everybody was answered, and it is still under way', row)
      // The caller of a stop may be answered while it is watched whether something goes on.
      if (row.state === 'unknown' && row.kind !== 'stop')
        must(row.answer === null, 'an answer that may still change', row)
      const freed = row.state === 'failed' && row.answer === null
      if (freed) must(row.idempotency_fingerprint === null, 'its key is not free', row)
    }
    const starts = [...rows.values()].filter(({ kind }) => kind === 'start')
    must(starts.filter(isOpen).length <= 1, 'two open starts', starts)
    this.rows = rows
    this.checkTruth(starts)
  }

  checkTruth(starts: Row[]): void {
    const ours = this.world.simulator.livestreams().filter(({ meeting_id }) => meeting_id === this.id)
    const runs = ours.flatMap(({ sessions }) => sessions)
    runs.sort((a, b) => Date.parse(a.created_at) - Date.parse(b.created_at))
    for (const [i, run] of runs.entries()) {
      const stopped = runs[i - 1]?.stopped_time
      if (i > 0) must(stopped != null && stopped <= run.created_at, 'two runs at once', runs)
    }
    const executed = this.starts().filter(entry => entry.executed).length
    const done = starts.filter(row => row.state === 'done' && row.answer_status === 201)
    const open = starts.filter(isOpen).length
    must(executed + this.lateStarts <= done.length + open, 'a livestream that nobody knows of', starts)
    must(done.length <= executed + this.lateStarts + this.browserStartsMs.length, 'a start that began nothing', starts)
    for (const row of starts) {
      const did = this.executed.get(row.request_id)
      if (row.state === 'failed') must(did !== true, 'it failed, and it has begun a run', row)
      if (row.state !== 'done') continue
      must(
        ours.some(({ id }) => id === row.livestream_id),
        'a livestream of another meeting',
        row
      )
      const since = this.browserStartsMs.some(ms => ms >= row.sent_at)
      if (row.answer_status === 201) must(did !== false || since, 'an older run was taken for it', row, runs)
    }
  }
}

function isOpen({ state }: Row): boolean {
  return state === 'sent' || state === 'unknown'
}

function isOn({ stopped_time }: { stopped_time: string | null }): boolean {
  return stopped_time === null
}

/** @throws Error with what it is about */
export function must(holds: boolean, what: string, ...about: unknown[]): asserts holds {
  if (holds) return
  throw new Error(`${what}: ${JSON.stringify(about, (name, value) => (name === 'headers' ? undefined : value))}`)
}
