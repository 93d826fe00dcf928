/**
 * The Lua scripts of the core layer, by our own text. What counts on the wire is their shape, which is (TAKE's excepted) that of
 * channels_redis 4.0: which keys and arguments they take in which order, what they do to which key, and what they return. They are sent whole, with EVAL.
 */

/**
 * Puts one member into each queue that is not at its capacity.
 * KEYS: queues. ARGV: a member for each, a capacity for each, the score (now), the queues' TTL in seconds. Returns how many queues were full.
 */
export const GROUP_SEND = `
local queues = #KEYS
local full = 0
for i, queue in ipairs(KEYS) do
  if redis.call('ZCOUNT', queue, '-inf', '+inf') >= tonumber(ARGV[queues + i]) then
    full = full + 1
  else
    redis.call('ZADD', queue, ARGV[2 * queues + 1], ARGV[i])
    redis.call('EXPIRE', queue, ARGV[2 * queues + 2])
  end
end
return full
`;

/** Puts what was popped and never acknowledged back into its queue, each with its score. ARGV: the queue, its backup. */
export const RESTORE = `
local held = redis.call('ZRANGE', ARGV[2], 0, -1, 'WITHSCORES')
for i = 1, #held, 2 do
  redis.call('ZADD', ARGV[1], held[i + 1], held[i])
end
redis.call('DEL', ARGV[2])
`;

/**
 * Moves the oldest members of a queue into its backup and returns them, each followed by its score: what is on its way
 * to a connection that breaks is not lost. Not a script of channels_redis. KEYS: the queue, its backup. ARGV: how many at most.
 */
export const TAKE = `
local taken = redis.call('ZPOPMIN', KEYS[1], ARGV[1])
for i = 1, #taken, 2 do
  redis.call('ZADD', KEYS[2], taken[i + 1], taken[i])
end
return taken
`;

/** Deletes every key whose name matches the pattern, some thousand at a time, for Lua's stack is small. ARGV: the pattern. */
export const FLUSH = `
local names = redis.call('KEYS', ARGV[1])
for first = 1, #names, 4000 do
  redis.call('DEL', unpack(names, first, math.min(first + 3999, #names)))
end
`;
