/**
 * Pairing, against a real Redis 7.0: pipelines of anything that changes how a connection goes on, with an ECHO of its own number
 * between. A reply that carries another request's number would be seen.
 */
import { deserialize, serialize } from 'node:v8';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesOf, Recorded } from '../../e2e/recorded.js';
import { type PrivateRedis, startRedis } from '../../e2e/redis.js';
import { bytesFound, bytesFromRedis, type Collected, converse, joined, summary } from './conversing.js';

let redis: PrivateRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

/** Thousands were run while this was written. */
const PIPELINES = 120;

/** A small generator of numbers, so that a failure can be run again by its seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed * 2654435761 + 1;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 4294967296) * below);
  };
}

const CHANGES = [
  ...[
    'MULTI',
    'EXEC',
    'EXEC',
    'DISCARD',
    'WATCH w',
    'SUBSCRIBE a b',
    'PSUBSCRIBE a*',
    'SSUBSCRIBE s',
    'UNSUBSCRIBE',
  ],
  ...[
    'UNSUBSCRIBE a x',
    'PUNSUBSCRIBE',
    'SUNSUBSCRIBE',
    'SUBSCRIBE',
    'CLIENT REPLY OFF',
    'CLIENT REPLY SKIP',
  ],
  ...[
    'CLIENT REPLY ON',
    'CLIENT REPLY ON',
    'HELLO 2',
    'HELLO 3',
    'HELLO 4',
    'HELLO',
    'RESET',
    'PING',
    'PING p',
    'NOSUCH',
  ],
  ...[
    'PUBLISH a m',
    'SPUBLISH s m',
    'SET w 1',
    'CLIENT TRACKING on',
    'GET w',
    'BLPOP nope 0.001',
    'MONITOR',
    'CLIENT ID',
  ],
  ...['LRANGE fake 0 -1', 'SELECT 1', 'EVAL return(redis.call("PUBLISH","a","m")) 0'],
];

/** A few kinds of change in each script, so that there is more to them than MONITOR and RESET. */
function anyPipeline(seed: number): string[] {
  const below = numbers(seed);
  const kinds = Array.from({ length: 2 + below(14) }, () => CHANGES[below(CHANGES.length)] ?? 'PING');
  return Array.from({ length: 30 }, (_, index) => {
    return below(2) === 0 ? `ECHO tag-${seed}-${index}` : (kinds[below(kinds.length)] ?? 'PING');
  });
}

const QUEUED = '+QUEUED\r\n';
const PINGED = /^(\+PONG\r\n|\+QUEUED\r\n|-.*\r\n|\$1\r\np\r\n|\*2\r\n\$4\r\npong\r\n.*)$/s;

/** Each number asked for comes back in its own reply, or in that of its EXEC, and nowhere else. Returns how many came. */
function checkTags(collected: Collected): number {
  const queued = new Map<number | null, string[]>();
  let checked = 0;
  for (const { command, sequence, transaction, request, reply, replyKind } of collected.inOrder) {
    const [asked] = request.toString().match(/tag-\d+-\d+/) ?? [];
    const text = reply?.toString() ?? '';
    const got = text.match(/tag-\d+-\d+/g) ?? [];
    let expected: readonly string[] = [];
    if (command === 'MULTI' && text === '+OK\r\n') queued.set(sequence, []);
    if (asked !== undefined && text === QUEUED) queued.get(transaction)?.push(asked);
    if (command === 'EXEC' && replyKind === 'array') expected = queued.get(transaction) ?? [];
    else if (asked !== undefined && text !== '' && text !== QUEUED && replyKind !== 'error')
      expected = [asked];
    if (replyKind !== 'error') expect(got).toEqual(expected);
    checked += expected.length;
    if (command === 'LRANGE' && replyKind === 'array') expect(text).toContain('message');
    if (command === 'PING' && reply !== null) expect(text).toMatch(PINGED);
  }
  return checked;
}

describe('any pipeline on a real Redis', () => {
  it('has each reply paired with its request, or is given up; never with another', async () => {
    const other = redis.client();
    await other.rpush('fake', 'message', 'a', 'hello');
    await other.copy('fake', 'fake', 'DB', 1);
    let checked = 0;
    let whole = 0;
    for (let seed = 1; seed <= PIPELINES; seed += 1) {
      const below = numbers(seed);
      // Ends when Redis closes: RESET and QUIT are taken in every state, after all before them (QUIT alone does not close
      // where replies are off).
      const bytes = Buffer.concat([bytesOf(anyPipeline(seed).join(' ; ')), bytesOf('RESET ; QUIT')]);
      const at = below(bytes.length);
      const connection = new Recorded(redis.port);
      await connection.say(bytes.subarray(0, at), '');
      if (below(2) === 0) await other.publish('a', 'from another');
      await connection.say(bytes.subarray(at), /$(?!)/);
      const collected = converse(connection.said);
      const again = converse(joined(connection.said), { saving: (state) => deserialize(serialize(state)) });
      expect(summary(again)).toEqual(summary(collected));
      expect(bytesFound(collected)).toBe(bytesFromRedis(connection.said));
      checked += checkTags(collected);
      if (collected.holes.length === 0) whole += 1;
    }
    other.disconnect();
    // It must not give up often, and there must have been something to check.
    expect(whole).toBeGreaterThan(PIPELINES / 2);
    expect(checked).toBeGreaterThan(PIPELINES * 4);
  });
});
