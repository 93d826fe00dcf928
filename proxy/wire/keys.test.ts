import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PrivateRedis, startRedis } from '../../e2e/redis.js';
import { keyRule, keysOf } from './keys.js';

const keys = (...words: readonly string[]) =>
  keysOf(
    (words[0] ?? '').toUpperCase(),
    words.map((word) => Buffer.from(word)),
  ).map((key) => key.toString());

describe('keysOf, as Redis has it (COMMAND GETKEYS)', () => {
  let redis: PrivateRedis;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  it.each([
    'GET k',
    'set k v EX 10',
    'MGET a b c',
    'MSET a 1 b 2',
    'DEL a b',
    'ZADD z 1 m',
    'ZREM z m',
    'ZRANGE z 0 -1',
    'ZCOUNT z -inf +inf',
    'EXPIRE z 60',
    'ZPOPMIN z',
    'BZPOPMIN a b 5',
    'ZREMRANGEBYSCORE z 0 1',
    'BLPOP a b 5',
    'BRPOPLPUSH a b 1',
    'BLMOVE a b LEFT RIGHT 1',
    'LMPOP 2 a b LEFT',
    'BLMPOP 1 2 a b LEFT',
    'BZMPOP 1 2 a b MIN',
    'ZMPOP 1 a MIN',
    'SINTERCARD 2 a b LIMIT 1',
    'ZUNIONSTORE d 2 a b WEIGHTS 1 2',
    'ZDIFF 2 a b',
    'EVAL script 2 a b x y',
    'EVALSHA sha 1 a x',
    'EVAL_RO script 1 a',
    'FCALL f 2 a b c',
    'FCALL_RO f 1 a',
    'XREAD COUNT 1 STREAMS s t 0 0',
    'XREADGROUP GROUP g c STREAMS s 0',
    'XGROUP CREATE s g 0',
    'XADD s * a b',
    'OBJECT ENCODING k',
    'MEMORY USAGE k',
    'SORT k BY p GET q STORE d',
    'SORT k LIMIT 0 1',
    'GEORADIUS g 1 2 3 m STORE d',
    'COPY a b',
    'LCS a b',
    'MIGRATE h 6379 k 0 10',
    'PFMERGE a b c',
    'BITOP AND d a b',
    'WATCH a b',
    'SSUBSCRIBE a b',
    'SPUBLISH a m',
  ])('%s', async (command) => {
    const words = command.split(' ');
    const client = redis.client();
    const expected = (await client.call('COMMAND', 'GETKEYS', ...words).catch(() => null)) as string[] | null;
    client.disconnect();
    // Redis 7.0 calls shard channels "not keys", though they have slots as keys do.
    const sharded = words[0] === 'SSUBSCRIBE' || words[0] === 'SPUBLISH';
    expect(expected === null || expected.length === 0).toBe(sharded);
    expect(keys(...words)).toEqual(sharded ? words.slice(1, words[0] === 'SPUBLISH' ? 2 : 3) : expected);
  });

  it('knows every command of Redis 7.0', async () => {
    const client = redis.client();
    const names = (await client.call('COMMAND', 'LIST')) as string[];
    client.disconnect();
    const { exists } = await import('@ioredis/commands');
    expect(names.filter((name) => !name.includes('|') && !exists(name))).toEqual([]);
  });
});

describe('keysOf', () => {
  it('has none for commands without keys, and commands it does not know', () => {
    for (const command of [
      'PING',
      'MULTI',
      'PUBLISH c m',
      'SUBSCRIBE c',
      'NOSUCH a b',
      'constructor a',
      '__proto__ a',
      'CLIENT SETNAME k',
    ]) {
      expect(keys(...command.split(' '))).toEqual([]);
    }
  });

  it('finds a queue and its backup in the ARGV of the cleanup script', () => {
    expect(keys('EVAL', 'script', '0', 'q!', 'q!$inflight')).toEqual(['q!', 'q!$inflight']);
    expect(keys('EVALSHA', 'sha', '0', 'q!', 'q!$inflight')).toEqual(['q!', 'q!$inflight']);
    expect(keys('EVAL', 'script', '0', 'q!', 'r!$inflight')).toEqual([]);
    expect(keys('EVAL', 'script', '0', 'q!', 'q!$inflight', 'x')).toEqual([]);
    expect(keys('EVAL', 'script', '0', 'q!$inflight', 'q!')).toEqual([]);
    expect(keys('EVAL', 'script', '1', 'q!', 'q!$inflight')).toEqual(['q!']);
  });

  it('gives no keys for a number of keys that makes no sense', () => {
    for (const count of ['1e9', '999999999999', '-1', 'x', '', '3', 'Infinity', '0x1']) {
      expect(keys('EVAL', 'script', count, 'a', 'b')).toEqual([]);
    }
    expect(keys('EVAL')).toEqual([]);
    expect(keys('MSETEX', '1e9', 'a', 'b')).toEqual([]);
    expect(keys('LMPOP', '2', 'a')).toEqual([]);
  });

  it('gives what is there of too few arguments', () => {
    expect(keys('GET')).toEqual([]);
    expect(keys('BZPOPMIN', '5')).toEqual([]);
    expect(keys('COPY', 'a')).toEqual(['a']);
    expect(keys('XREAD', 'STREAMS')).toEqual([]);
    expect(keys('SORT')).toEqual([]);
    expect(keysOf('GET', [])).toEqual([]);
  });

  it('finds several keys of MIGRATE', () => {
    expect(keys('MIGRATE', 'h', '1', '', '0', '9', 'KEYS', 'a', 'b')).toEqual(['a', 'b']);
  });

  it('says of simple commands where their keys stand', () => {
    expect(keyRule('SET')).toEqual({ kind: 'fixed', first: 1, last: 1 });
    expect(keyRule('BZPOPMIN')).toEqual({ kind: 'fixed', first: 1, last: -2 });
    expect(keyRule('DEL')).toEqual({ kind: 'fixed', first: 1, last: -1 });
    expect(keyRule('MSET')).toEqual({ kind: 'dynamic' });
    expect(keyRule('EVAL')).toEqual({ kind: 'counted', at: 2 });
    expect(keyRule('PING')).toEqual({ kind: 'none' });
  });

  it('never throws (property)', async () => {
    const { list } = await import('@ioredis/commands');
    const name = fc.constantFrom(...list.map((each) => each.toUpperCase()), 'NOSUCH', 'TOSTRING', '');
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom('0', '1', '2', '1e9', '-1', 'STREAMS', 'KEYS', 'STORE', '', 'CREATE'),
    );
    const property = fc.property(name, fc.array(word, { maxLength: 8 }), (command, words) => {
      const args = [command, ...words].map((each) => Buffer.from(each));
      expect(keysOf(command, args).every(Buffer.isBuffer)).toBe(true);
    });
    fc.assert(property, { numRuns: 3000 });
  });
});
