/**
 * The scripts that run within Valkey. All their keys have one hash tag, so that a cluster keeps them in one place. Time is Valkey's own,
 * in ms since a moment from which its fractions are exact.
 */
const prefix = '{livegate}:'
export const epochKey = `${prefix}epoch`

export const replicasKey = `${prefix}replicas`
export const quotaKey = (upstream: string): string => `${prefix}quota:${upstream}`
export const limitKey = (key: string): string => `${prefix}limit:${key}`
export const versionKey = (id: string): string => `${prefix}version:${id}`

/** No answer that is cached is shown for so long: then nobody needs the version. */
const versionLastsMs = 3_600_000

/** A replica that has said nothing for so long counts no more. */
const livesMs = 10_000

/** False: it is not the Valkey that the caller knew. Every script but `begin` begins so. */
const sameEpoch = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end`
const time = `local t = redis.call('TIME')
local now = (t[1] - 1700000000) * 1000 + t[2] / 1000`

/**
 * Gives the epoch, a random id with the id of the server's process. Whoever was promoted, or came back with what it had on its disk, is
 * another process: what it knows may be old.
 */
const begin = `local known = redis.call('GET', KEYS[1])
local ok, info = pcall(redis.call, 'INFO', 'server')
local run = ok and string.match(info, 'run_id:(%w+)') or ''
if known and string.sub(known, -#run - 1) == '.' .. run then return known end
redis.call('SET', KEYS[1], ARGV[1] .. '.' .. run)
return ARGV[1] .. '.' .. run`

/**
 * Counts a call of a tenant (ARGV[5] 1), or only looks. Gives whether it is allowed, when the bucket is full again, how much too early the
 * call is, and the version of the meeting. ARGV[4]: what the caller knows to be spent, as after a loss.
 */
const limit = `${sameEpoch}
${time}
local window, spacing = tonumber(ARGV[2]), tonumber(ARGV[3])
local known = (tonumber(redis.call('GET', KEYS[2])) or now) - now
local left = math.max(0, known, tonumber(ARGV[4]))
if left > window + spacing * 0.001 then left = window end
local early = left + spacing - window
local allowed = early <= spacing * 0.001
if ARGV[5] == '1' and allowed then left = left + spacing end
if left > 0 and left ~= known then redis.call('SET', KEYS[2], string.format('%.5f', now + left), 'PX', math.ceil(left) + 1000) end
local version = KEYS[3] and redis.call('GET', KEYS[3]) or ''
return { allowed and 1 or 0, string.format('%.5f', left), string.format('%.5f', math.max(0, early)), version }`

/** Gives meetings new versions: KEYS from the second on, each with the version at its place. */
const outdate = `${sameEpoch}
for i = 2, #KEYS do redis.call('SET', KEYS[i], ARGV[i], 'PX', ${versionLastsMs}) end
return { 1 }`

/** Gives the versions of meetings. */
const versions = `${sameEpoch}
local found = {}
for i = 2, #KEYS do found[i - 1] = redis.call('GET', KEYS[i]) or '' end
return found`

/** A replica lives (ARGV[3] 1), or leaves. Gives how many have said so of late. */
const presence = `${sameEpoch}
${time}
if ARGV[3] == '1' then redis.call('ZADD', KEYS[2], now, ARGV[2]) else redis.call('ZREM', KEYS[2], ARGV[2]) end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ${livesMs})
return { redis.call('ZCARD', KEYS[2]) }`

/**
 * Renews a replica's part of a quota, makes it larger or smaller, or ends it. A part is a number of calls that may count at the same
 * time. It ends by itself, and is granted to others when no call that was sent under it can count any more.
 *
 * A hash has a field for each replica: its part, the end of its lease, the number of its last message (an older one that comes late does
 * nothing), and its state: 0, 1 where it wants more, 2 where it has left. While the hash is young, or nobody was heard for a lease, nobody
 * knows of the others' calls: then only what was given back since is granted.
 */
const lease = `${sameEpoch}
${time}
local key, id, seq = KEYS[2], ARGV[2], tonumber(ARGV[3])
local have, want, counted, state = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local quota, lasts, counts, replicas = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
if redis.call('HGET', key, 'epoch') ~= ARGV[1] then
  redis.call('DEL', key)
  redis.call('HSET', key, 'epoch', ARGV[1], 'young', now, 'back', 0)
elseif now - tonumber(redis.call('HGET', key, 'heard')) > lasts then
  redis.call('HSET', key, 'young', now, 'back', 0)
end
redis.call('HSET', key, 'heard', now)
redis.call('PEXPIRE', key, 86400000)
local share, least = math.floor(quota / replicas), math.max(1, math.ceil(quota * 0.05 / replicas))
local others, known, kept, isShort, mine = 0, 1, 0, 0, nil
local fields = redis.call('HGETALL', key)
for i = 1, #fields, 2 do
  local calls, ends, last, how = string.match(fields[i + 1], '^(%S+) (%S+) (%S+) (%S+)$')
  if calls then
    calls, ends = tonumber(calls), tonumber(ends)
    if fields[i] == id then
      mine = { calls, tonumber(last) }
    elseif now > ends + counts then
      redis.call('HDEL', key, fields[i])
    elseif how == '2' then
      others = others + calls
    else
      known = known + 1
      if now > ends then others = others + math.max(calls, share) else
        others = others + calls
        kept = kept + math.max(0, least - calls)
        if how == '1' then isShort = 1 end
      end
    end
  end
end
if mine and seq <= mine[2] then return { 0, others, 0 } end
local missing = math.max(0, replicas - known)
local free = quota - others - have - missing * share
local back = tonumber(redis.call('HGET', key, 'back'))
local isYoung = now - tonumber(redis.call('HGET', key, 'young')) < lasts + counts
if isYoung then free = math.min(free, back + (mine and math.max(0, mine[1] - have) or 0)) end
local calls = want
if want > have then
  local room = math.max(0, free - kept)
  if have + room < least then room = math.max(0, math.min(free, least - have)) end
  calls = math.min(want, have + room)
end
calls = math.max(calls, counted)
if state == 0 and calls < want then state = 1 end
redis.call('HSET', key, 'back', math.max(0, back + (mine and mine[1] or have) - calls))
redis.call('HSET', key, id, string.format('%d %.3f %d %d', calls, state == 2 and now or now + lasts, seq, state))
return { calls, others, isShort }`

export const scripts = {
  lease,
  begin,
  limit,
  outdate,
  versions,
  presence
}
export type ScriptName = Exclude<keyof typeof scripts, 'begin'>
