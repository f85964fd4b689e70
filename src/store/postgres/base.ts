import type { Client } from 'pg'
import { raised } from './errors.ts'

/** Lock that each transaction that writes takes first (docs/decisions/0030-one-lock-for-each-commit.md). */
export const writeLock = 7_421_943_118

/**
 * The part of a database that lies below the schema: functions that SQLite's connections have by themselves, the writers, and what replicas
 * hold for a while. A *writer* is a process that writes; its row has the number of its last commit, so that a commit whose answer was lost can
 * be looked up. The row of a gateway is also its heartbeat.
 */
const objects = (hasIcu: boolean): string[] => [
  `create or replace function sha256_hex(text) returns text language sql immutable strict parallel safe
    as $$ select encode(sha256(convert_to($1, 'UTF8')), 'hex') $$`,
  `create or replace function in_capitals(text) returns text language sql immutable strict parallel safe
    as $$ select upper($1 ${hasIcu ? 'collate "und-x-icu"' : ''}) $$`,
  `create or replace function livegate_demand(changed bigint, wanted bigint) returns boolean language plpgsql as $$
    begin
      if changed = wanted then return true; end if;
      raise exception '% rows changed, not %', changed, wanted using errcode = '${raised.conflict}';
    end $$`,
  `create or replace function livegate_in_time(latest timestamptz) returns boolean language plpgsql as $$
    begin
      if clock_timestamp() <= latest then return true; end if;
      raise exception 'too late to be written' using errcode = '${raised.expired}';
    end $$`,
  `create table if not exists livegate_writers (
    id text collate "C" primary key,
    commits bigint not null default 0,
    members text,
    serves boolean not null default false,
    seen_at timestamptz not null default clock_timestamp(),
    fenced_at timestamptz
  )`,
  // An earlier Livegate kept a store for one gateway by it.
  'drop index if exists livegate_writers_serves',
  'alter table livegate_writers add column if not exists most integer not null default 1',
  'alter table livegate_writers add column if not exists serves_since timestamptz',
  `create table if not exists livegate_leases (
    name text collate "C" primary key,
    holder text collate "C" not null,
    kind text,
    fence bigint not null default 1,
    expires_at timestamptz not null
  )`,
  `create or replace function livegate_commit(writer text, number bigint, written text) returns boolean language plpgsql as $$
    declare row livegate_writers;
    begin
      update livegate_writers w set commits = number, members = written, seen_at = clock_timestamp()
        where w.id = writer and w.commits = number - 1 and w.fenced_at is null;
      if found then return true; end if;
      select * into row from livegate_writers w where w.id = writer;
      if row.fenced_at is not null then
        raise exception 'another gateway has taken this store over: end one of the two' using errcode = '${raised.fenced}';
      elsif row.commits >= number then
        raise exception 'called off, since its answer was lost' using errcode = '${raised.calledOff}';
      end if;
      raise exception 'the database has lost commits that it had acknowledged: it was put back, or a standby without them has taken over'
        using errcode = '${raised.rewound}';
    end $$`
]

/** Makes what is not there. It needs rights to make tables, as the schema does. */
export async function makeBase(client: Client): Promise<void> {
  const there = await client.query(
    `select to_regclass('livegate_leases') is not null as is_made,
      exists (select 1 from pg_collation where collname = 'und-x-icu') as has_icu`
  )
  const { is_made: isMade, has_icu: hasIcu } = there.rows[0]
  if (isMade) return
  const steps = ['begin', `select pg_advisory_xact_lock(${writeLock})`, ...objects(hasIcu), 'commit']
  try {
    for (const step of steps) await client.query(step)
  } catch (error) {
    await client.query('rollback').catch(() => {})
    throw error
  }
}
