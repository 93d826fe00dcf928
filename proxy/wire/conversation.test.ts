import { deserialize, serialize } from 'node:v8';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Conversation } from './conversation.js';
import { bytesFound, bytesFromRedis, Collected, converse, lineOf, type Said, summary } from './conversing.js';
import { cutAt, request } from './splits.js';

const client = (...lines: readonly string[]): Said => ({
  from: 'client',
  bytes: Buffer.concat(lines.map((line) => request(...line.split(' ')))),
});
const redis = (text: string): Said => ({ from: 'redis', bytes: Buffer.from(text, 'latin1') });
const lines = (collected: Collected) => collected.inOrder.map(lineOf);
const holes = (collected: Collected) =>
  collected.holes.map(({ direction, reason, offset, bytes, toUs }) => [
    direction,
    reason,
    offset,
    bytes,
    toUs,
  ]);

/** A conversation and what it has said so far. */
function begin(options = {}) {
  const collected = new Collected();
  return { collected, conversation: new Conversation(collected.sink, options) };
}

describe('times', () => {
  it('are those of the last byte read, and of the hand-over to the client', () => {
    const { collected, conversation } = begin();
    const ping = request('PING');
    conversation.clientBytes(ping.subarray(0, 3), 10);
    conversation.clientBytes(ping.subarray(3), 20);
    conversation.redisBytes(Buffer.from('+PO'), 30, true);
    conversation.redisBytes(Buffer.from('NG\r\n'), 40, false);
    expect(conversation.outstanding()).toHaveLength(1);
    conversation.flushed(6, 50);
    expect(collected.operations).toEqual([]);
    conversation.flushed(7, 60);
    expect(collected.operations).toMatchObject([{ requestedUs: 20, repliedUs: 40, flushedUs: 60 }]);
    expect(conversation.outstanding()).toEqual([]);
  });

  it('a chunk handed over at once hands over what came before it too', () => {
    const { collected, conversation } = begin();
    conversation.clientBytes(request('PING'), 10);
    conversation.clientBytes(request('PING'), 11);
    conversation.redisBytes(Buffer.from('+PONG\r\n'), 20, false);
    conversation.redisBytes(Buffer.from('+PONG\r\n'), 30, true);
    expect(collected.operations.map((each) => each.flushedUs)).toEqual([30, 30]);
  });

  it('a message waits for its hand-over as a reply does', () => {
    const { collected, conversation } = begin();
    conversation.clientBytes(request('SUBSCRIBE', 'a'), 10);
    conversation.redisBytes(Buffer.from('*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n'), 20, true);
    conversation.redisBytes(Buffer.from('*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n'), 30, false);
    expect(conversation.pendingPushes()).toMatchObject([
      { kind: 'message', receivedUs: 30, flushedUs: null },
    ]);
    conversation.flushed(1000, 40);
    expect(collected.pushes).toMatchObject([{ kind: 'message', flushedUs: 40 }]);
    expect(conversation.pendingPushes()).toEqual([]);
  });
});

describe('owed and pipelined', () => {
  it('owed counts replies not handed over, those read included', () => {
    const { collected, conversation } = begin();
    conversation.clientBytes(request('PING'), 10);
    conversation.redisBytes(Buffer.from('+PONG\r\n'), 20, false);
    conversation.clientBytes(request('PING'), 30);
    conversation.flushed(7, 40);
    conversation.clientBytes(request('PING'), 50);
    conversation.ended(60);
    expect(collected.inOrder.map((each) => each.owed)).toEqual([0, 1, 1]);
    expect(collected.inOrder.map((each) => each.pipelined)).toEqual([false, false, false]);
  });

  it('requests that are not answered are not owed', () => {
    const { collected, conversation } = begin();
    conversation.clientBytes(client('GET a', 'CLIENT REPLY SKIP', 'GET b', 'GET c', 'GET d').bytes, 10);
    conversation.ended(20);
    expect(collected.inOrder.map((each) => each.owed)).toEqual([0, 1, 1, 1, 2]);
  });

  it('a request is pipelined when it began in the chunk in which the one before it ended', () => {
    const two = client('GET a', 'GET b').bytes;
    const pipelined = (chunks: readonly Buffer[]) => {
      return converse(chunks.map((bytes) => ({ from: 'client', bytes }))).inOrder.map(
        (each) => each.pipelined,
      );
    };
    expect(pipelined([two])).toEqual([false, true]);
    expect(pipelined([two.subarray(0, 20), two.subarray(20)])).toEqual([false, false]);
    expect(pipelined([two.subarray(0, 5), two.subarray(5)])).toEqual([false, true]);
    expect(pipelined([two.subarray(0, 21), two.subarray(21)])).toEqual([false, true]);
    expect(pipelined([two.subarray(0, 5), two.subarray(5, 25), two.subarray(25)])).toEqual([false, true]);
  });
});

describe('what the sink is given', () => {
  it('no longer aliases a chunk once that was released', () => {
    const collected = converse([client('SET key value'), redis('$5\r\nhello\r\n')]); // which releases and overwrites its chunks
    expect(collected.operations[0]?.request.toString()).toContain('key');
    expect(collected.operations[0]?.keys.map(String)).toEqual(['key']);
    expect(collected.operations[0]?.reply?.toString()).toBe('$5\r\nhello\r\n');
  });

  it('keys and command whatever the case, blanked secrets counted', () => {
    const collected = converse([
      client('zAdd z 1 m', 'aUtH ********', 'HELLO 3 AUTH ** *** SETNAME n', 'AUTH open'),
    ]);
    expect(collected.inOrder.map((each) => each.command)).toEqual(['ZADD', 'AUTH', 'HELLO', 'AUTH']);
    expect(collected.inOrder.map((each) => each.redactedBytes)).toEqual([0, 8, 5, 0]);
    expect(collected.facts.clientName).toBe('n');
  });

  it('no command where the name is none', () => {
    const collected = converse([
      client('\x01\x02'),
      { from: 'client', bytes: request('x'.repeat(100)) },
      client(''),
    ]);
    expect(collected.inOrder.map((each) => each.command)).toEqual(['', '', '']);
  });

  it('outstanding requests when the connection ends, and a reply after the client has gone', () => {
    const { collected, conversation } = begin();
    conversation.clientBytes(request('BZPOPMIN', 'k', '5'), 10);
    conversation.clientBytes(request('PING'), 11);
    conversation.redisBytes(Buffer.from('*3\r\n$1\r\nk\r\n$1\r\nm\r\n$1\r\n1\r\n'), 20, false);
    conversation.ended(30);
    expect(lines(collected)).toEqual(['BZPOPMIN ["k" "m" "1"]', 'PING']);
    expect(collected.inOrder.map((each) => [each.repliedUs, each.flushedUs])).toEqual([
      [20, null],
      [null, null],
    ]);
    expect(collected.holes).toEqual([]);
  });
});

describe('holes', () => {
  it('a request or a reply that is longer than what is kept', () => {
    const long = 'x'.repeat(5000);
    const reply = `$6000\r\n${'y'.repeat(6000)}\r\n`;
    const said = [
      { from: 'client' as const, bytes: request('SET', 'k', long) },
      redis(reply),
      client('PING'),
      redis('+PONG\r\n'),
    ];
    const collected = converse(said, { keepBytes: 1024 });
    const [set, ping] = collected.inOrder;
    expect(set).toMatchObject({ command: 'SET', requestLength: 5029, replyLength: 6009, replyKind: 'bulk' });
    expect([set?.request.length, set?.reply?.length]).toEqual([1024, 1024]);
    expect(set?.keys.map(String)).toEqual(['k']);
    expect(ping).toMatchObject({ command: 'PING', replyKind: 'simple' });
    expect(holes(collected)).toEqual([
      ['client', 'cut', 1024, 4005, 1000],
      ['redis', 'cut', 1024, 4985, 2000],
    ]);
  });

  it('requests that cannot be framed: those before it are answered, what follows is not understood', () => {
    const collected = converse([
      client('GET a', 'GET b'),
      { from: 'client', bytes: Buffer.from('*x\r\n') },
      redis('$1\r\na\r\n'),
      client('GET c'),
      redis('$1\r\nb\r\n$1\r\nc\r\n'),
    ]);
    expect(lines(collected)).toEqual(['GET "a"', 'GET "b"']);
    expect(holes(collected)).toEqual([
      ['client', 'unframed', 40, 24, null],
      ['redis', 'unframed', 14, 7, null],
    ]);
  });

  it('replies that cannot be framed: requests are still recorded, without replies', () => {
    const collected = converse([
      client('GET a', 'GET b'),
      redis('$1\r\na\r\n$?\r\n'),
      client('GET c'),
      redis('$1\r\nb\r\n'),
    ]);
    expect(lines(collected)).toEqual(['GET "a"', 'GET', 'GET']);
    expect(collected.inOrder.map((each) => each.owed)).toEqual([0, 1, 0]);
    expect(holes(collected)).toEqual([['redis', 'unframed', 7, 11, null]]);
  });

  it('bytes that are missing from the tape', () => {
    const { collected, conversation } = begin();
    conversation.clientBytes(client('GET a', 'GET b').bytes, 10);
    conversation.redisBytes(Buffer.from('$1\r\na\r\n$1'), 20, false);
    conversation.dropped({ fromClient: 100, fromRedis: 200, fromUs: 25, toUs: 26, reason: 'dropped' });
    expect(conversation.openHoles()).toMatchObject([
      { direction: 'client', offset: 40, bytes: 100, fromUs: 25, toUs: null },
      { direction: 'redis', offset: 7, bytes: 202, fromUs: 25, toUs: null },
    ]);
    expect(lines(collected)).toEqual(['GET']);
    conversation.flushed(7, 30);
    expect(collected.operations[1]).toMatchObject({ sequence: 1, flushedUs: 30 });
    conversation.clientBytes(request('GET', 'c'), 40);
    conversation.redisBytes(Buffer.from('$1\r\nb\r\n'), 50, true);
    conversation.dropped({ fromClient: 0, fromRedis: 1, fromUs: 60, toUs: 61, reason: 'dropped' });
    conversation.ended(70);
    expect(collected.operations).toHaveLength(2);
    expect(holes(collected)).toEqual([
      ['client', 'dropped', 40, 120, null],
      ['redis', 'dropped', 7, 210, null],
    ]);
  });

  it('replies that are withheld', () => {
    const { collected, conversation } = begin();
    conversation.clientBytes(client('CONFIG GET requirepass').bytes, 10);
    conversation.dropped({ fromClient: 0, fromRedis: 50, fromUs: 20, toUs: 20, reason: 'withheld' });
    conversation.clientBytes(client('GET a').bytes, 30);
    conversation.ended(40);
    expect(lines(collected)).toEqual(['CONFIG', 'GET']);
    expect(holes(collected)).toEqual([['redis', 'withheld', 0, 50, null]]);
  });

  it('only requests are missing: what was asked before is answered', () => {
    const { collected, conversation } = begin();
    conversation.clientBytes(client('GET a').bytes, 10);
    conversation.dropped({ fromClient: 20, fromRedis: 0, fromUs: 20, toUs: 20, reason: 'withheld' });
    conversation.redisBytes(Buffer.from('$1\r\na\r\n$1\r\nb\r\n'), 30, true);
    conversation.ended(40);
    expect(lines(collected)).toEqual(['GET "a"']);
    expect(holes(collected)).toEqual([
      ['client', 'withheld', 20, 20, null],
      ['redis', 'withheld', 7, 7, null],
    ]);
  });

  it('a connection that was open before the recording', () => {
    const said = [redis('+PONG\r\n'), client('GET a'), redis('$1\r\na\r\n')];
    const collected = converse(said, { beganBefore: true });
    expect(lines(collected)).toEqual(['GET']);
    expect(collected.inOrder[0]?.owed).toBe(0);
    expect(holes(collected)).toEqual([
      ['client', 'began-before', 0, 0, 1000],
      ['redis', 'began-before', 0, 14, null],
    ]);
  });

  it('a connection that ends in the middle of a frame', () => {
    const collected = converse([
      client('GET a'),
      { from: 'client', bytes: Buffer.from('*2\r\n$3') },
      redis('$5\r\nab'),
    ]);
    expect(lines(collected)).toEqual(['GET']);
    expect(holes(collected)).toEqual([
      ['client', 'unfinished', 20, 6, 4000],
      ['redis', 'unfinished', 0, 6, 4000],
    ]);
  });
});

describe('replies that nobody asked for', () => {
  it('are pushes, and nothing after them is trusted', () => {
    const collected = converse([redis('+HI\r\n'), client('GET a'), redis('$1\r\na\r\n')]);
    expect(collected.pushes).toMatchObject([{ kind: 'unsolicited', length: 5 }]);
    expect(lines(collected)).toEqual(['GET']);
    expect(holes(collected)).toEqual([['redis', 'ambiguous', 5, 7, null]]);
  });

  it('Redis may unsubscribe a shard channel on its own', () => {
    const unasked = '*3\r\n$12\r\nsunsubscribe\r\n$1\r\ns\r\n:0\r\n';
    const said = [
      client('SSUBSCRIBE s'),
      redis('*3\r\n$10\r\nssubscribe\r\n$1\r\ns\r\n:1\r\n'),
      redis(unasked),
    ];
    const collected = converse([...said, client('GET a'), redis('$1\r\na\r\n')]);
    expect(collected.pushes).toMatchObject([{ kind: 'other' }]);
    expect(lines(collected).at(-1)).toBe('GET "a"');
    expect(collected.holes).toEqual([]);
  });

  it('a confirmation of something else than was asked is no reply', () => {
    const collected = converse([
      client('SUBSCRIBE a', 'GET k'),
      redis('*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:1\r\n$1\r\nv\r\n'),
    ]);
    expect(lines(collected)).toEqual(['SUBSCRIBE', 'GET']);
    expect(holes(collected)).toEqual([['redis', 'ambiguous', 0, 37, null]]);
  });

  it('confirmations that came before the reply was given up are in a hole of their own', () => {
    const first = '*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n';
    const message = '*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n';
    const collected = converse([client('SUBSCRIBE a b'), redis(`${first}${message}+OK\r\n`)]);
    expect(lines(collected)).toEqual(['SUBSCRIBE']);
    expect(collected.pushes).toHaveLength(1);
    expect(holes(collected)).toEqual([
      ['redis', 'unfinished', 0, 30, 2000],
      ['redis', 'ambiguous', 61, 5, null],
    ]);
  });

  it('an EXEC with another number of items than were queued is no reply', () => {
    const collected = converse([
      client('MULTI', 'GET a', 'EXEC', 'PING'),
      redis('+OK\r\n+QUEUED\r\n*2\r\n$1\r\na\r\n+PONG\r\n'),
    ]);
    expect(lines(collected)).toEqual(['MULTI t1 OK', 'GET t1 QUEUED', 'EXEC t1', 'PING']);
    expect(collected.holes.map((hole) => hole.reason)).toEqual(['ambiguous']);
  });
});

describe('a long pipeline', () => {
  it('pairs each of 100,000 requests, also through a state saved in between', () => {
    const count = 100_000;
    const requests = Buffer.concat(Array.from({ length: count }, (_, index) => request('ECHO', `${index}`)));
    const replies = Buffer.from(
      Array.from({ length: count }, (_, i) => `$${`${i}`.length}\r\n${i}\r\n`).join(''),
    );
    const collected = new Collected();
    let conversation = new Conversation(collected.sink);
    conversation.clientBytes(requests, 1);
    conversation.redisBytes(replies.subarray(0, 300_001), 2, true);
    conversation = Conversation.restore(collected.sink, {}, deserialize(serialize(conversation.save())));
    conversation.redisBytes(replies.subarray(300_001), 3, true);
    expect(collected.operations).toHaveLength(count);
    for (const { request: asked, reply, owed, sequence } of collected.operations) {
      if (asked.toString().slice(14) !== reply?.toString() || owed !== sequence - 1)
        throw new Error(`at ${sequence}`);
    }
  });
});

describe('any bytes', () => {
  const word = fc.constantFrom(
    'MULTI',
    'EXEC',
    'SUBSCRIBE a',
    'UNSUBSCRIBE',
    'CLIENT REPLY OFF',
    'CLIENT REPLY SKIP',
    'CLIENT REPLY ON',
    'HELLO 3',
    'MONITOR',
    'RESET',
    'GET a',
    'EVAL s 1 k',
  );
  const ask = word.map((line) => request(...line.split(' ')));
  const frames = [
    '+OK\r\n',
    '+QUEUED\r\n',
    '-ERR x\r\n',
    ':1\r\n',
    '$-1\r\n',
    '_\r\n',
    '*1\r\n:1\r\n',
    '*0\r\n',
    '%0\r\n',
    '+1.000000 [0 x] "a"\r\n',
    '>2\r\n$10\r\ninvalidate\r\n_\r\n',
    '*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n',
  ];
  const confirmations = [
    '*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n',
    '>3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n',
    '*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n',
    '>3\r\n$12\r\nsunsubscribe\r\n$1\r\na\r\n:0\r\n',
  ];
  const answer = fc.constantFrom(...frames, ...confirmations).map((text) => Buffer.from(text));
  const noise = fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes));
  const saidBy = (from: 'client' | 'redis', bytes: fc.Arbitrary<Buffer>) =>
    bytes.map((each): Said => ({ from, bytes: each }));
  const one = fc.oneof(
    { weight: 10, arbitrary: saidBy('client', ask) },
    { weight: 10, arbitrary: saidBy('redis', answer) },
    { weight: 1, arbitrary: saidBy('client', noise) },
    { weight: 1, arbitrary: saidBy('redis', noise) },
  );

  it('never throw; each byte is accounted for, each request settles once, and cuts change nothing (property)', () => {
    const property = fc.property(
      fc.array(one, { maxLength: 40 }),
      fc.array(fc.nat(), { maxLength: 5 }),
      (said, places) => {
        const whole = converse(said);
        const cut = said.flatMap(({ from, bytes }) =>
          cutAt(bytes, places).map((part) => ({ from, bytes: part })),
        );
        expect(summary(converse(cut))).toEqual(summary(whole));
        expect(summary(converse(cut, { saving: (state) => deserialize(serialize(state)) }))).toEqual(
          summary(whole),
        );
        expect(bytesFound(whole)).toBe(bytesFromRedis(said));
        expect(whole.inOrder.map((each) => each.sequence)).toEqual(
          whole.operations.map((_, index) => index + 1),
        );
      },
    );
    fc.assert(property, { numRuns: 1000 });
  });
});
