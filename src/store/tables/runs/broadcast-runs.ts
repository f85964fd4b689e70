import { sql as raw } from 'kysely'
import { spelled } from '../../../domain/id.ts'
import type { Move, Run, RunEnder, RunEvent, RunNews, RunStatus } from '../../../domain/runs/run.ts'
import type { Page } from '../../../domain/values/paging.ts'
import { compileOnce, readList, type Statement } from '../../engine/engine.ts'
import type { BroadcastRunsTable } from '../../schema/run-tables.ts'
import type { Store } from '../../store.ts'

/** Filter of a list of runs. */
export interface RunFilter extends Page {
  meetingId?: string | undefined
  /** True: those that go on. False: those that are over. */
  live?: boolean | undefined
}

/** The part of a row that the store does not give itself. */
type Given = Omit<BroadcastRunsTable, 'ordinal'>

/** Place and ids that some news names: the rows that it may be about. */
interface Named {
  upstream: string
  meetingId: string | null
  livestreamId: string | null
  operationId: string | null
  runId: string | null
}

/**
 * The table `broadcast_runs`: one row for each run. A row is changed only while it has the revision that it was read with. Its events
 * (`run-events.ts`) are written with the move that they tell of.
 */
export function broadcastRunsIn({ engine, sql }: Store) {
  const nextOrdinal = raw<number>`(select coalesce(max(ordinal), 0) + 1 from broadcast_runs)`

  const insert = compileOnce(({ isQuiet, ...row }: Given & { isQuiet: boolean }) => {
    const query = sql.insertInto('broadcast_runs').values({ ...row, ordinal: nextOrdinal })
    return isQuiet ? query.onConflict(conflict => conflict.doNothing()) : query
  })

  const update = compileOnce(({ id, expected, ...row }: Given & { expected: number }) =>
    sql.updateTable('broadcast_runs').set(row).where('id', '=', id).where('revision', '=', expected)
  )

  const countEvent = sql
    .updateTable('meta')
    .set({ value: raw<string>`cast(cast(value as bigint) + 1 as text)` })
    .where('name', '=', 'run_event')
    .compile()

  /** Under the condition of the move that stands behind it: nobody else writes between the two. */
  const tell = compileOnce(({ expected, ...event }: RunEvent & { expected: number | null }) => {
    const { runId, tenantId, upstream, meetingId, livestreamId, type, status, playbackUrl, reason, atMs } = event
    const isThere = (condition: unknown) => raw`exists (select 1 from broadcast_runs where ${condition})`
    const mayMove =
      expected === null
        ? raw`not ${isThere(raw`id = ${runId}`)} and not ${isThere(
            raw`upstream = ${upstream} and livestream_id = ${livestreamId} and ended_at is null`
          )}`
        : isThere(raw`id = ${runId} and revision = ${expected}`)
    const query = raw`insert into run_events
        (seq, run_id, tenant_id, upstream, meeting_id, livestream_id, type, status, playback_url, reason, at)
      select (select cast(value as bigint) from meta where name = 'run_event'), ${runId}, ${tenantId}, ${upstream},
        ${meetingId}, ${livestreamId}, ${type}, ${status}, ${playbackUrl}, ${reason}, ${atMs}
      where ${mayMove}`
    return { compile: () => query.compile(sql) }
  })

  const findOpen = compileOnce(({ upstream, meetingId, livestreamId, operationId, runId }: Named) => {
    const ids = (of: unknown) => raw`select id from broadcast_runs where ${of}`
    const open = raw`ended_at is null and upstream = ${upstream}`
    const some = [
      ...(meetingId === null ? [] : [ids(raw`meeting_id = ${meetingId} and ${open}`)]),
      ...(livestreamId === null ? [] : [ids(raw`livestream_id = ${livestreamId} and ${open}`)]),
      ...(operationId === null ? [] : [ids(raw`operation_id = ${operationId}`)]),
      ...(runId === null ? [] : [ids(raw`id = ${runId}`)]),
      ...(livestreamId === null ? [] : [raw`select id from (${lastOf({ upstream, livestreamId })}) as last_run`])
    ]
    const wanted = sql.selectFrom('broadcast_runs').selectAll()
    return wanted.where(raw<boolean>`id in (${raw.join(some, raw` union `)})`).orderBy('ordinal')
  })

  const lastOf = ({ upstream, livestreamId }: { upstream: string; livestreamId: string }) =>
    raw`select id from broadcast_runs where livestream_id = ${livestreamId} and upstream = ${upstream}
      order by ordinal desc limit 1`

  const findLast = compileOnce((of: { upstream: string; livestreamId: string }) => {
    const last = raw<boolean>`id = (${lastOf(of)})`
    return sql.selectFrom('broadcast_runs').selectAll().where(last)
  })

  /** The tenant's runs. Those of a meeting, or of a livestream, that was taken from it are not among them. */
  const ownedBy = (tenantId: string) =>
    sql
      .selectFrom('broadcast_runs')
      .where('tenant_id', '=', tenantId)
      .where(
        raw<boolean>`case when meeting_id is not null
        then exists (select 1 from meetings m where m.id = broadcast_runs.meeting_id
          and m.tenant_id = broadcast_runs.tenant_id and m.released_at is null)
        else exists (select 1 from livestreams l where l.id = broadcast_runs.livestream_id
          and l.tenant_id = broadcast_runs.tenant_id and l.released_at is null) end`
      )

  return {
    /**
     * Statements that write a move and its events. As a part of another transaction it changes nothing, and breaks nothing, when somebody
     * has moved the run meanwhile. Otherwise the whole transaction is undone then. @throws Conflict, UniqueViolation
     */
    moved({ before, after, events }: Move, isPart: boolean): Statement[] {
      const expected = before?.revision ?? null
      const told = events.flatMap(event => [countEvent, tell({ ...event, expected })])
      const row = toColumns(after)
      const write = expected === null ? insert({ ...row, isQuiet: isPart }) : update({ ...row, expected })
      return [...told, isPart ? write : { ...write, changes: 1 }]
    },

    /** The runs that some news may be about, in the order in which they became known. */
    async concerned(news: RunNews): Promise<Run[]> {
      const { upstream, meetingId } = news
      const livestreamId = 'livestreamId' in news ? news.livestreamId : null
      const operationId = 'operationId' in news ? news.operationId : null
      const runId = 'runId' in news ? news.runId : null
      if (meetingId === null && livestreamId === null && operationId === null && runId === null) return []
      return (await engine.read(findOpen({ upstream, meetingId, livestreamId, operationId, runId }))).map(toRun)
    },

    /** Null when it does not exist *or is not the tenant's*. */
    async find(tenantId: string, id: string): Promise<Run | null> {
      const [row] = await engine.read(ownedBy(tenantId).selectAll().where('id', '=', id).compile())
      return row === undefined ? null : toRun(row)
    },

    /** Any tenant's; null when there is none. */
    async get(id: string): Promise<Run | null> {
      const [row] = await engine.read(sql.selectFrom('broadcast_runs').selectAll().where('id', '=', id).compile())
      return row === undefined ? null : toRun(row)
    },

    /** The last run of a livestream, whichever tenant's. */
    async lastOf(upstream: string, livestreamId: string): Promise<Run | null> {
      const [row] = await engine.read(findLast({ upstream, livestreamId }))
      return row === undefined ? null : toRun(row)
    },

    /** Those of a meeting that are not over, the oldest first, whichever tenant's. */
    async openIn({ id, upstream }: { id: string; upstream: string }): Promise<Run[]> {
      const named = { upstream, meetingId: id, livestreamId: null, operationId: null, runId: null }
      return (await engine.read(findOpen(named))).map(toRun)
    },

    /** All that are not over, the oldest first. */
    async open(): Promise<Run[]> {
      const open = sql.selectFrom('broadcast_runs').selectAll().where('ended_at', 'is', null)
      return (await readList(engine, open.orderBy('ordinal'))).map(toRun)
    },

    /** The tenant's runs, the newest first, and how many there are in all. */
    async list(tenantId: string, { meetingId, live, pageNo, perPage }: RunFilter) {
      let wanted = ownedBy(tenantId)
      // An id of a caller's: a UUID may be written in any case.
      if (meetingId !== undefined) wanted = wanted.where(isMeeting(meetingId))
      if (live !== undefined) wanted = wanted.where('ended_at', live ? 'is' : 'is not', null)
      const page = wanted.selectAll().orderBy('ordinal', 'desc').limit(perPage)
      const [rows, [count]] = await Promise.all([
        engine.scan(page.offset((pageNo - 1) * perPage).compile()),
        engine.scan(wanted.select(raw<number>`count(*)`.as('total')).compile())
      ])
      return { runs: rows.map(toRun), total: Number(count?.total ?? 0) }
    },

    /** Counts the tenant's runs that go on, as the vendor has shown them. */
    async countLive(tenantId: string): Promise<number> {
      const wanted = ownedBy(tenantId).where('ended_at', 'is', null).where('livestream_id', 'is not', null)
      const [count] = await engine.scan(wanted.select(raw<number>`count(*)`.as('total')).compile())
      return Number(count?.total ?? 0)
    }
  }
}
export type BroadcastRuns = ReturnType<typeof broadcastRunsIn>

function isMeeting(id: string) {
  const { likely, uuid } = spelled(id)
  return uuid ? raw<boolean>`lower(meeting_id) = ${likely}` : raw<boolean>`meeting_id = ${likely}`
}

function toRun(row: BroadcastRunsTable): Run {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    upstream: row.upstream,
    meetingId: row.meeting_id,
    livestreamId: row.livestream_id,
    sessionId: row.session_id,
    operationId: row.operation_id,
    status: row.status as RunStatus,
    invokedAtMs: row.invoked_at,
    liveAtMs: row.live_at,
    endedAtMs: row.ended_at,
    endedBy: row.ended_by as RunEnder | null,
    deadlineAtMs: row.deadline_at,
    maxDurationSeconds: row.max_duration_seconds,
    playbackUrl: row.playback_url,
    endingBy: row.ending_by as RunEnder | null,
    spentAtMs: row.spent_at,
    warnedForMs: row.warned_for,
    isManual: row.manual_ingest === 1,
    meetingSessionId: row.meeting_session_id,
    sessionGoneAtMs: row.session_gone_at,
    quietLooks: row.quiet_looks,
    quietAtMs: row.quiet_at,
    createdAtMs: row.created_at,
    revision: row.revision
  }
}

function toColumns(run: Run): Given {
  return {
    id: run.id,
    tenant_id: run.tenantId,
    upstream: run.upstream,
    meeting_id: run.meetingId,
    livestream_id: run.livestreamId,
    session_id: run.sessionId,
    operation_id: run.operationId,
    status: run.status,
    invoked_at: run.invokedAtMs,
    live_at: run.liveAtMs,
    ended_at: run.endedAtMs,
    ended_by: run.endedBy,
    deadline_at: run.deadlineAtMs,
    max_duration_seconds: run.maxDurationSeconds,
    playback_url: run.playbackUrl,
    ending_by: run.endingBy,
    spent_at: run.spentAtMs,
    warned_for: run.warnedForMs,
    manual_ingest: run.isManual ? 1 : null,
    meeting_session_id: run.meetingSessionId,
    session_gone_at: run.sessionGoneAtMs,
    quiet_looks: run.quietLooks,
    quiet_at: run.quietAtMs,
    created_at: run.createdAtMs,
    revision: run.revision
  }
}
