/**
 * Pairing, against a real Redis 7.0 over a raw socket: what a script of commands makes it say is recorded, and then fed to a
 * Conversation whole, byte by byte and in two at every boundary. What it finds must be the same.
 */
import { deserialize, serialize } from 'node:v8';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesOf, Recorded, record, type Step } from '../../e2e/recorded.js';
import { type PrivateRedis, startRedis } from '../../e2e/redis.js';
import {
  bytesFound,
  bytesFromRedis,
  type Collected,
  converse,
  type Feeding,
  joined,
  lineOf,
  type Said,
  showBytes,
  summary,
} from './conversing.js';

let redis: PrivateRedis;
beforeAll(async () => {
  redis = await startRedis({
    users: ['default on nopass ~* &* +@all', 'guest on >guestpass ~* &* +@all -client|reply -multi'],
  });
});
afterAll(() => redis.stop());

const throughDisk: NonNullable<Feeding['saving']> = (state) => deserialize(serialize(state));

/** Feeds it in every way and expects the same; gives back what was found. */
function everyWay(said: readonly Said[], options: Feeding = {}): Collected {
  const whole = converse(joined(said), options);
  const expected = summary(whole);
  const bytewise = said.flatMap(({ from, bytes }) =>
    [...bytes].map((byte) => ({ from, bytes: Buffer.of(byte) })),
  );
  expect(summary(converse(said, options))).toEqual(expected);
  expect(summary(converse(bytewise, options))).toEqual(expected);
  expect(summary(converse(bytewise, { ...options, saving: throughDisk }))).toEqual(expected);
  expect(summary(converse(said, { ...options, flushed: false, saving: throughDisk }))).toEqual(expected);
  said.forEach(({ from, bytes }, index) => {
    for (let at = 1; at < bytes.length; at += 1) {
      const halves = [bytes.subarray(0, at), bytes.subarray(at)].map((half) => ({ from, bytes: half }));
      const cut = [...said.slice(0, index), ...halves, ...said.slice(index + 1)];
      expect(summary(converse(cut, options))).toEqual(expected);
    }
  });
  expect(bytesFound(whole)).toBe(bytesFromRedis(said));
  return whole;
}

const lines = (collected: Collected) => collected.inOrder.map(lineOf);
const pushes = (collected: Collected) =>
  collected.pushes.map((push) => `${push.kind} ${showBytes(push.bytes)}`);
const reasons = (collected: Collected) => collected.holes.map((hole) => `${hole.direction} ${hole.reason}`);

/** What is found in a script; no holes unless it says so. */
async function found(...steps: readonly Step[]) {
  const collected = everyWay(await record(redis, steps));
  return { lines: lines(collected), pushes: pushes(collected), holes: reasons(collected), collected };
}

describe('pairing on a real Redis', () => {
  it('a pipeline, one after the other, and one that errs', async () => {
    const { lines, holes, collected } = await found(
      ['SET pk 1 ; INCR pk ; GET pk ; LPUSH pk x ; GET nope', '$-1\r\n'],
      ['PING', '+PONG\r\n'],
    );
    expect(lines).toEqual(['SET OK', 'INCR :2', 'GET "2"', 'LPUSH -WRONGTYPE', 'GET null', 'PING PONG']);
    expect(holes).toEqual([]);
    expect(collected.inOrder.map((each) => each.owed)).toEqual([0, 1, 2, 3, 4, 0]);
    expect(collected.inOrder.map((each) => each.pipelined)).toEqual([false, true, true, true, true, false]);
    expect(collected.inOrder.map((each) => each.keys.map(String))).toEqual([
      ['pk'],
      ['pk'],
      ['pk'],
      ['pk'],
      ['nope'],
      [],
    ]);
    expect(collected.inOrder.map((each) => each.sequence)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('transactions: EXEC, DISCARD, WATCH that fails, EXECABORT, nesting, wrong arguments', async () => {
    const { lines, holes } = await found(
      ['MULTI ; SET tk 1 ; GET tk ; EXEC', '$1\r\n1\r\n'],
      ['MULTI ; SET tk 2 ; DISCARD ; GET tk', '$1\r\n1\r\n'],
      ['WATCH tk', '+OK\r\n'],
      { other: 'SET tk 3', end: '' },
      ['MULTI ; GET tk ; EXEC', '*-1\r\n'],
      ['MULTI ; NOSUCH ; GET tk ; EXEC', /EXECABORT.*\r\n$/],
      ['MULTI ; MULTI ; WATCH tk ; DISCARD x ; EXEC', /EXECABORT.*\r\n$/],
      ['MULTI ; EXEC x ; EXEC', /without MULTI\r\n$/],
      ['MULTI x ; GET tk ; DISCARD', /without MULTI\r\n$/],
      ['MULTI ; EXEC', '*0\r\n'],
    );
    expect(holes).toEqual([]);
    expect(lines).toEqual([
      ...['MULTI t1 OK', 'SET t1 QUEUED', 'GET t1 QUEUED', 'EXEC t1 [OK "1"]'],
      ...['MULTI t5 OK', 'SET t5 QUEUED', 'DISCARD t5 OK', 'GET "1"'],
      ...['WATCH OK', 'MULTI t10 OK', 'GET t10 QUEUED', 'EXEC t10 null'],
      ...['MULTI t13 OK', 'NOSUCH t13 -ERR', 'GET t13 QUEUED', 'EXEC t13 -EXECABORT'],
      ...['MULTI t17 OK', 'MULTI t17 -ERR', 'WATCH t17 -ERR', 'DISCARD t17 -ERR', 'EXEC t17 -EXECABORT'],
      ...['MULTI t22 OK', 'EXEC t22 -EXECABORT', 'EXEC -ERR'],
      ...['MULTI -ERR', 'GET "3"', 'DISCARD -ERR', 'MULTI t28 OK', 'EXEC t28 [-…]'.replace('[-…]', '[]')],
    ]);
  });

  it('blocking commands, answered by another connection', async () => {
    const { lines, holes } = await found(
      ['BZPOPMIN bz 5 ; PING', ''],
      { other: 'ZADD bz 1 m', end: '+PONG\r\n' },
      ['BLPOP bl 0.01', '*-1\r\n'],
      ['HELLO 3', /\*0\r\n$/],
      ['BLPOP bl 0.01', '_\r\n'],
    );
    expect(lines).toEqual(['BZPOPMIN ["bz" "m" "1"]', 'PING PONG', 'BLPOP null', 'HELLO {…}', 'BLPOP null']);
    expect(holes).toEqual([]);
  });

  it('HELLO switches the version, or fails and does not', async () => {
    const { lines, holes, collected } = await found(
      ['HELLO 4 ; HELLO 3 bogus ; HELLO', /\*0\r\n$/],
      ['HELLO 3 SETNAME me ; GET nope', '_\r\n'],
      ['HELLO 2 ; GET nope', '$-1\r\n'],
      [
        'HELLO 3 AUTH guest wrong ; CLIENT SETNAME you ; CLIENT SETINFO LIB-NAME lib ; CLIENT SETINFO LIB-VER 1.2',
        /\r\n-ERR.*\r\n-ERR.*\r\n$/,
      ],
    );
    expect(lines[0]).toBe('HELLO -NOPROTO');
    expect(lines[1]).toBe('HELLO -ERR');
    expect(lines[2]).toMatch(/^HELLO \["server" "redis"/);
    expect(lines.slice(3)).toEqual([
      'HELLO {…}',
      'GET null',
      expect.stringMatching(/^HELLO \[/),
      'GET null',
      'HELLO -WRONGPASS',
      'CLIENT OK',
      'CLIENT -ERR',
      'CLIENT -ERR',
    ]);
    expect(holes).toEqual([]);
    expect(collected.facts).toEqual({
      respVersion: 2,
      clientName: 'you',
      libraryName: 'lib',
      libraryVersion: '1.2',
    });
  });

  it('subscriptions in RESP2: confirmations, messages in between, PING, refusals, leaving', async () => {
    const { lines, pushes, holes, collected } = await found(
      ['PING ; SUBSCRIBE a b', ':2\r\n'],
      { other: 'PUBLISH a 1', end: '1\r\n' },
      ['PSUBSCRIBE a* ; PING ; PING x ; GET k', /context\r\n$/],
      { other: 'PUBLISH a 2', end: '$1\r\n2\r\n' },
      ['SSUBSCRIBE s', ':1\r\n'],
      { other: 'SPUBLISH s 3', end: '$1\r\n3\r\n' },
      ['UNSUBSCRIBE ; SUNSUBSCRIBE s ; PUNSUBSCRIBE nope a*', ':0\r\n'],
      ['GET nope ; UNSUBSCRIBE ; UNSUBSCRIBE x y ; SUBSCRIBE ; GET nope', '$-1\r\n'],
    );
    expect(holes).toEqual([]);
    expect(lines).toEqual([
      'PING PONG',
      'SUBSCRIBE ["subscribe" "a" :1] ["subscribe" "b" :2]',
      'PSUBSCRIBE ["psubscribe" "a*" :3]',
      'PING ["pong" ""]',
      'PING ["pong" "x"]',
      'GET -ERR',
      'SSUBSCRIBE ["ssubscribe" "s" :1]',
      expect.stringMatching(/^UNSUBSCRIBE \["unsubscribe" "[ab]" :2\] \["unsubscribe" "[ab]" :1\]$/),
      'SUNSUBSCRIBE ["sunsubscribe" "s" :0]',
      'PUNSUBSCRIBE ["punsubscribe" "nope" :1] ["punsubscribe" "a*" :0]',
      'GET null',
      'UNSUBSCRIBE ["unsubscribe" null :0]',
      'UNSUBSCRIBE ["unsubscribe" "x" :0] ["unsubscribe" "y" :0]',
      'SUBSCRIBE -ERR',
      'GET null',
    ]);
    expect(pushes).toEqual([
      'message ["message" "a" "1"]',
      'message ["message" "a" "2"]',
      'pmessage ["pmessage" "a*" "a" "2"]',
      'smessage ["smessage" "s" "3"]',
    ]);
    expect(collected.pushes.map((push) => push.channel?.toString())).toEqual(['a', 'a', 'a', 's']);
  });

  it('a reply that looks like a message is a reply where nothing is subscribed', async () => {
    const { lines, pushes } = await found(
      ['SUBSCRIBE a ; UNSUBSCRIBE a', ':0\r\n'],
      ['DEL fake ; RPUSH fake message a hello ; LRANGE fake 0 -1', 'hello\r\n'],
      ['HELLO 3', /\*0\r\n$/],
      ['SUBSCRIBE a ; LRANGE fake 0 -1', 'hello\r\n'],
    );
    expect(lines.filter((line) => line.startsWith('LRANGE'))).toEqual(
      Array(2).fill('LRANGE ["message" "a" "hello"]'),
    );
    expect(pushes).toEqual([]);
  });

  it('subscriptions in RESP3, with commands and messages to oneself in between', async () => {
    const { lines, pushes, holes } = await found(
      ['HELLO 3', /\*0\r\n$/],
      ['SUBSCRIBE a b ; PUBLISH a 1 ; GET nope', '_\r\n'],
      [`EVAL return(redis.call('PUBLISH','b','2')) 0`, ':1\r\n'],
      ['UNSUBSCRIBE ; PUNSUBSCRIBE ; SSUBSCRIBE s ; SUNSUBSCRIBE', ':0\r\n'],
      ['SUBSCRIBE a ; HELLO 2', /\*0\r\n$/],
      { other: 'PUBLISH a 3', end: '$1\r\n3\r\n' },
      ['GET nope ; UNSUBSCRIBE ; GET nope', '$-1\r\n'],
    );
    expect(holes).toEqual([]);
    expect(lines.slice(1)).toEqual([
      'SUBSCRIBE >["subscribe" "a" :1] >["subscribe" "b" :2]',
      'PUBLISH :1',
      'GET null',
      'EVAL :1',
      expect.stringMatching(/^UNSUBSCRIBE >\["unsubscribe" "[ab]" :1\] >\["unsubscribe" "[ab]" :0\]$/),
      'PUNSUBSCRIBE >["punsubscribe" null :0]',
      'SSUBSCRIBE >["ssubscribe" "s" :1]',
      'SUNSUBSCRIBE >["sunsubscribe" "s" :0]',
      'SUBSCRIBE >["subscribe" "a" :1]',
      expect.stringMatching(/^HELLO \[/),
      'GET -ERR',
      'UNSUBSCRIBE ["unsubscribe" "a" :0]',
      'GET null',
    ]);
    expect(pushes).toEqual([
      'message >["message" "a" "1"]',
      'message >["message" "b" "2"]',
      'message ["message" "a" "3"]',
    ]);
  });

  it('invalidations of client-side caching: RESP3 pushes, also around a transaction', async () => {
    const { lines, pushes, holes } = await found(
      ['HELLO 3', /\*0\r\n$/],
      ['CLIENT TRACKING on ; SET tr 1 ; GET tr ; SET tr 2', /\*1\r\n\$2\r\ntr\r\n$/],
      ['GET tr ; MULTI ; SET tr 3 ; GET tr ; EXEC', /\*1\r\n\$2\r\ntr\r\n$/],
      ['GET tr ; PING', 'PONG\r\n'],
      { other: 'FLUSHALL', end: '_\r\n' },
    );
    expect(holes).toEqual([]);
    expect(lines.slice(1)).toEqual([
      ...['CLIENT OK', 'SET OK', 'GET "1"', 'SET OK'],
      ...['GET "2"', 'MULTI t7 OK', 'SET t7 QUEUED', 'GET t7 QUEUED', 'EXEC t7 [OK "3"]'],
      ...['GET "3"', 'PING PONG'],
    ]);
    const one = 'invalidate >["invalidate" ["tr"]]';
    expect(pushes).toEqual([one, one, 'invalidate >["invalidate" null]']);
  });

  it('invalidations redirected to a RESP2 connection', async () => {
    const connection = new Recorded(redis.port);
    const tracker = redis.client({ protocol: 2 });
    await connection.say(bytesOf('CLIENT ID'), '\r\n');
    const id = Number(connection.said.at(-1)?.bytes.toString().slice(1));
    await connection.say(bytesOf('SUBSCRIBE __redis__:invalidate'), ':1\r\n');
    await tracker.call('CLIENT', 'TRACKING', 'on', 'REDIRECT', String(id));
    await tracker.get('rk');
    await connection.say('', '');
    await tracker.set('rk', '1');
    await connection.hear('$2\r\nrk\r\n');
    await connection.say('', '');
    await tracker.flushall();
    await connection.hear('\r\n');
    await connection.say(bytesOf('PING'), '$0\r\n\r\n');
    await connection.end();
    tracker.disconnect();
    const collected = everyWay(connection.said);
    expect(lines(collected)).toEqual([
      `CLIENT :${id}`,
      'SUBSCRIBE ["subscribe" "__redis__:invalidate" :1]',
      'PING ["pong" ""]',
    ]);
    expect(pushes(collected)).toEqual([
      'invalidate ["message" "__redis__:invalidate" ["rk"]]',
      'invalidate ["message" "__redis__:invalidate" null]',
    ]);
    expect(collected.pushes[0]?.channel?.toString()).toBe('__redis__:invalidate');
  });

  it('MONITOR: lines are told from replies, and RESET ends it', async () => {
    const { lines, pushes, holes } = await found(
      ['MONITOR', /^\+OK\r\n/],
      { other: 'ECHO +PONG', end: /"ECHO" "\+PONG"\r\n$/i },
      ['PING', /"PING"\r\n$/],
      ['GET k ; PING ; MULTI ; DISCARD', /"DISCARD"\r\n$/],
      ['RESET ; PING', '+PONG\r\n'],
    );
    expect(lines).toEqual([
      'MONITOR OK',
      'PING PONG',
      'GET -ERR',
      'PING PONG',
      'MULTI t5 OK',
      'DISCARD t5 OK',
      'RESET RESET',
      'PING PONG',
    ]);
    expect(holes).toEqual([]);
    expect(pushes.length).toBeGreaterThanOrEqual(5);
    expect(pushes.every((push) => /^monitor \d+\.\d{6} \[0 127\.0\.0\.1:\d+\] "/.test(push))).toBe(true);
  });

  it('a second MONITOR is not answered', async () => {
    const { lines, holes } = await found(['MONITOR', /^\+OK\r\n/], ['MONITOR ; ECHO x', /"ECHO" "x"\r\n$/]);
    expect(lines).toEqual(['MONITOR OK', 'MONITOR (none)', 'ECHO "x"']);
    expect(holes).toEqual([]);
  });

  it('a RESET that is not answered: when MONITOR ended cannot be told', async () => {
    const { lines, holes } = await found(
      ['MONITOR', /^\+OK\r\n/],
      ['ECHO x ; CLIENT REPLY SKIP ; RESET ; PING', '+PONG\r\n'],
    );
    expect(lines).toEqual(['MONITOR OK', 'ECHO "x"', 'CLIENT (none)', 'RESET', 'PING']);
    expect(holes).toEqual(['redis ambiguous']);
  });

  it('MONITOR and EXEC: lines stand in the midst of its array, so it is given up', async () => {
    const { lines, holes } = await found(
      ['MONITOR', /^\+OK\r\n/],
      ['MULTI ; PING ; PING ; EXEC', /"EXEC"\r\n$/],
    );
    expect(lines.slice(0, 4)).toEqual(['MONITOR OK', 'MULTI t2 OK', 'PING t2 QUEUED', 'PING t2 QUEUED']);
    expect(lines[4]).toBe('EXEC t2');
    expect(holes).toEqual(['redis ambiguous']);
  });

  it('CLIENT REPLY OFF, SKIP and ON; what is not answered, what ends it', async () => {
    const { lines, pushes, holes } = await found(
      ['CLIENT REPLY SKIP ; GET a ; PING', '+PONG\r\n'],
      ['CLIENT REPLY SKIP ; CLIENT REPLY SKIP ; GET a ; PING', '+PONG\r\n'],
      [
        'CLIENT REPLY OFF ; GET a ; MULTI ; GET b ; EXEC ; CLIENT REPLY SKIP ; PING ; CLIENT REPLY ON ; PING',
        '+PONG\r\n',
      ],
      [Buffer.concat([bytesOf('CLIENT REPLY SKIP'), Buffer.from('\r\n'), bytesOf('PING')]), '+PONG\r\n'],
      [Buffer.concat([bytesOf('CLIENT REPLY SKIP'), Buffer.from('*0\r\n'), bytesOf('PING')]), '+PONG\r\n'],
      ['CLIENT REPLY OFF ; SUBSCRIBE a', ':1\r\n'],
      { other: 'PUBLISH a 1', end: '$1\r\n1\r\n' },
      ['PING ; UNSUBSCRIBE ; PING ; RESET ; PING', '+PONG\r\n'],
      ['CLIENT REPLY SKIP ; RESET ; PING', '+PONG\r\n'],
      ['CLIENT REPLY BOGUS ; CLIENT REPLY ; CLIENT REPLY OFF now ; PING', '+PONG\r\n'],
    );
    expect(holes).toEqual([]);
    expect(lines).toEqual([
      ...['CLIENT (none)', 'GET (none)', 'PING PONG'],
      ...['CLIENT (none)', 'CLIENT (none)', 'GET (none)', 'PING PONG'],
      ...['CLIENT (none)', 'GET (none)', 'MULTI t10 (none)', 'GET t10 (none)', 'EXEC t10 (none)'],
      ...['CLIENT (none)', 'PING (none)', 'CLIENT OK', 'PING PONG'],
      ...['CLIENT (none)', 'PING PONG', 'CLIENT (none)', 'PING PONG'],
      ...['CLIENT (none)', 'SUBSCRIBE ["subscribe" "a" :1]'],
      ...['PING (none)', 'UNSUBSCRIBE ["unsubscribe" "a" :0]', 'PING (none)', 'RESET RESET', 'PING PONG'],
      ...['CLIENT (none)', 'RESET (none)', 'PING PONG'],
      ...['CLIENT -ERR', 'CLIENT -ERR', 'CLIENT -ERR', 'PING PONG'],
    ]);
    expect(pushes).toEqual(['message ["message" "a" "1"]']);
  });

  it('CLIENT REPLY that Redis refuses is given up, not guessed', async () => {
    const login: Step = ['AUTH guest guestpass', '+OK\r\n'];
    const off = await found(login, ['CLIENT REPLY OFF ; PING', '+PONG\r\n']);
    expect(off.lines).toEqual(['AUTH OK', 'CLIENT (none)', 'PING (none)']);
    expect(off.holes).toEqual(['redis ambiguous']);
    const skip = await found(login, ['CLIENT REPLY SKIP ; PING ; ECHO x', '$1\r\nx\r\n']);
    expect(skip.lines).toEqual(['AUTH OK', 'CLIENT (none)', 'PING (none)', 'ECHO']);
    expect(skip.holes).toEqual(['redis ambiguous']);
    const on = await found(login, ['CLIENT REPLY OFF ; PING ; CLIENT REPLY ON ; PING', '+PONG\r\n']);
    expect(on.lines.slice(3)).toEqual(['CLIENT', 'PING']);
    expect(on.holes).toEqual(['redis ambiguous']);
  });

  it('a MULTI that Redis refuses opens nothing', async () => {
    const { lines, holes } = await found(
      ['AUTH guest guestpass', '+OK\r\n'],
      ['MULTI ; SET gk 1 ; EXEC ; GET gk', '$1\r\n1\r\n'],
      ['GET gk', '$1\r\n1\r\n'],
    );
    expect(lines).toEqual(['AUTH OK', 'MULTI -NOPERM', 'SET OK', 'EXEC -ERR', 'GET "1"', 'GET "1"']);
    expect(holes).toEqual([]);
  });

  it.each([
    [
      'CLIENT REPLY OFF in a transaction',
      'MULTI ; CLIENT REPLY OFF ; SET a 1 ; EXEC ; PING ; CLIENT REPLY ON ; PING',
      '+OK\r\n+PONG\r\n',
      4,
    ],
    [
      'CLIENT REPLY SKIP in a transaction',
      'MULTI ; CLIENT REPLY SKIP ; SET a 1 ; EXEC ; PING ; PING',
      '*2\r\n+OK\r\n+PONG\r\n',
      4,
    ],
    [
      'SUBSCRIBE to several in a transaction',
      'MULTI ; SUBSCRIBE a b ; PING ; EXEC',
      /pong\r\n.*\r\n\r\n$/s,
      4,
    ],
  ] as const)('%s: EXEC does not add up, and is given up', async (_, script, end, paired) => {
    const { lines, holes } = await found([script, end]);
    expect(lines.slice(0, paired - 1).every((line) => /OK|QUEUED/.test(line))).toBe(true);
    expect(lines[paired - 1]).toBe('EXEC t1');
    expect(lines.slice(paired).every((line) => /^(PING|CLIENT)$/.test(line))).toBe(true);
    expect(holes).toEqual([expect.stringMatching(/^redis (ambiguous|unfinished)$/)]);
  });

  it('a message to oneself in a RESP3 transaction stands inside of the array: given up', async () => {
    const { lines, holes } = await found(
      ['HELLO 3', /\*0\r\n$/],
      ['SUBSCRIBE a', ':1\r\n'],
      ['MULTI ; PUBLISH a x ; SET k v ; EXEC ; PING', '+PONG\r\n'],
    );
    expect(lines.slice(5)).toEqual(['EXEC t3', 'PING']);
    expect(holes).toEqual(['redis ambiguous']);
  });

  it('replication and the Lua debugger answer in other ways: given up', async () => {
    const ldb = await found(['ECHO x', 'x\r\n'], ['SCRIPT DEBUG YES', '+OK\r\n'], ['ECHO y', 'y\r\n']);
    expect(ldb.lines).toEqual(['ECHO "x"', 'SCRIPT', 'ECHO']);
    expect(ldb.holes).toEqual(['redis ambiguous']);
    const replica = await found(['ECHO x ; REPLCONF ACK 0 ; ECHO y', 'y\r\n']);
    expect(replica.lines).toEqual(['ECHO "x"', 'REPLCONF', 'ECHO']);
    const harmless = await found(['SCRIPT EXISTS abc ; SCRIPT DEBUG NO ; ECHO y', 'y\r\n']);
    expect(harmless.lines).toEqual(['SCRIPT [:0]', 'SCRIPT -ERR', 'ECHO "y"']);
  });

  it('SELECT, RESET out of MULTI and RESP3, QUIT, and a request after QUIT', async () => {
    const { lines, holes } = await found(
      ['SELECT 3 ; MULTI ; SET x 1 ; RESET ; GET x', '$-1\r\n'],
      ['HELLO 3', /\*0\r\n$/],
      ['SUBSCRIBE a ; RESET ; GET nope', '$-1\r\n'],
      ['MULTI ; QUIT ; PING', '+OK\r\n+OK\r\n'],
    );
    expect(lines.slice(0, 5)).toEqual([
      'SELECT OK',
      'MULTI t2 OK',
      'SET t2 QUEUED',
      'RESET t2 RESET',
      'GET null',
    ]);
    expect(lines.slice(6)).toEqual([
      'SUBSCRIBE >["subscribe" "a" :1]',
      'RESET RESET',
      'GET null',
      'MULTI t10 OK',
      'QUIT t10 OK',
      'PING',
    ]);
    expect(holes).toEqual([]);
  });

  it('inline commands and empty lines among the others', async () => {
    const script = Buffer.concat([
      Buffer.from('SET ik "a b"\r\n\r\n\nGET ik\n'),
      bytesOf('GET ik'),
      Buffer.from('*0\r\nping\r\n'),
    ]);
    const { lines, holes, collected } = await found([script, '+PONG\r\n']);
    expect(lines).toEqual(['SET OK', 'GET "a b"', 'GET "a b"', 'PING PONG']);
    expect(collected.inOrder.map((each) => each.keys.map(String))).toEqual([['ik'], ['ik'], ['ik'], []]);
    expect(holes).toEqual([]);
  });

  it('scripts and their keys', async () => {
    const { lines, collected } = await found(
      ['EVAL return(redis.call("SET",KEYS[1],ARGV[1])) 2 sa sb 7', '+OK\r\n'],
      [
        'EVAL return(1) 0 q! q!$inflight ; EVALSHA 0000000000000000000000000000000000000000 1 sk',
        /NOSCRIPT.*\r\n$/,
      ],
      [`EVAL return(redis.status_reply('QUEUED')) 0`, '+QUEUED\r\n'],
    );
    expect(lines).toEqual(['EVAL OK', 'EVAL :1', 'EVALSHA -NOSCRIPT', 'EVAL QUEUED']);
    expect(collected.inOrder.map((each) => each.keys.map(String))).toEqual([
      ['sa', 'sb'],
      ['q!', 'q!$inflight'],
      ['sk'],
      [],
    ]);
  });

  it('a protocol error: what was asked before is answered, the rest is a hole', async () => {
    const { lines, holes, collected } = await found([
      Buffer.from('PING\r\nSET "a\r\nPING\r\n'),
      /Protocol error.*\r\n$/,
    ]);
    expect(lines).toEqual(['PING PONG']);
    expect(holes).toEqual(['client unframed', 'redis unframed']);
    expect(collected.holes.map(({ offset, bytes }) => [offset, bytes])).toEqual([
      [6, 14],
      [7, expect.any(Number)],
    ]);
  });

  it('more clients than allowed: nobody asked for that reply, even if a request is there', async () => {
    const full = await startRedis({ config: ['maxclients 1'] });
    try {
      const first = new Recorded(full.port);
      await first.say(bytesOf('PING'), '+PONG\r\n');
      const second = new Recorded(full.port);
      await second.say('', /max number of clients.*\r\n$/);
      await first.end();
      const told = second.said.map((each) => each.bytes).join('');
      expect(told).toMatch(/^-ERR max number of clients/);
      for (const said of [
        second.said,
        [{ from: 'client' as const, bytes: bytesOf('PING') }, ...second.said],
      ]) {
        const collected = everyWay(said);
        expect(pushes(collected)).toEqual(['unsolicited -ERR']);
        expect(lines(collected)).toEqual(said.length === second.said.length ? [] : ['PING']);
        expect(reasons(collected)).toEqual([]);
      }
    } finally {
      await full.stop();
    }
  });
});
