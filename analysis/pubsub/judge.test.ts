import { describe, expect, it } from 'vitest';
import { Evidence } from '../evidence.js';
import { consumerChannel, PubSubScript, published, ROOM } from '../testing/scripted-pubsub.js';
import { ScriptedTrace } from '../testing/scripted-trace.js';
import { type JudgedPublication, PubSubJudge } from './judge.js';

const [ANNA, BERT, CARL] = [consumerChannel('anna'), consumerChannel('bert'), consumerChannel('carl')];
const M = published('s', 10);

/**
 * Connection 1 publishes; Anna's process subscribes on connection 2, Bert's on 3. Two messages reach both in good health.
 * `M`, the one in question, is published at 1000 ms or about; 60 s are recorded.
 */
function healthy(protocol: 2 | 3 = 2): PubSubScript {
  const script = new PubSubScript(new ScriptedTrace(), protocol);
  script.subscribe(10, 2, [ANNA, ROOM]);
  script.subscribe(20, 3, [BERT, ROOM]);
  for (const [count, at] of [100, 200].entries()) {
    script.publish(at, published('s', count), 2);
    for (const connection of [2, 3]) script.heard(at + 1, connection, published('s', count));
  }
  return script;
}

/** Bert's process comes back on connection 4 a second after it lost connection 3, at 900 ms. */
function cutAndBack(script: PubSubScript, by: 'client' | 'redis' = 'redis'): PubSubScript {
  script.trace.disconnect(900, 3, by);
  script.subscribe(1900, 4, [BERT, ROOM]);
  return script;
}

function judged(script: PubSubScript, missed = false): JudgedPublication[] {
  const judge = new PubSubJudge(script.trace, new Evidence(script.trace));
  const found = judge.all().filter(({ payload }) => payload.count === 10);
  return missed ? found.map((one) => judge.missed(one, found)) : found;
}

function only(script: PubSubScript, missed = false) {
  const found = judged(script, missed);
  expect(found.map(({ verdict, because }) => [verdict, because])).toHaveLength(1);
  const { verdict, cause, because, alternatives, taker } = found[0]!;
  return { verdict, cause, because, alternatives, taker };
}

describe.each([2, 3] as const)('RESP%i', (protocol) => {
  it('delivered: every subscriber was handed it', () => {
    const script = healthy(protocol);
    script.publish(1000, M, 2);
    for (const connection of [2, 3]) script.heard(1001, connection, M);
    expect(only(script)).toMatchObject({ verdict: 'delivered', cause: null });
  });

  it('lost by one of two: one judgement, of that one', () => {
    const script = cutAndBack(healthy(protocol));
    script.publish(1000, M, 1);
    script.heard(1001, 2, M);
    expect(only(script)).toMatchObject({ verdict: 'lost', cause: 'resubscribe-gap', taker: 3 });
  });
});

describe('resubscribe-gap', () => {
  it('nobody else is subscribed: PUBLISH returns 0', () => {
    const script = cutAndBack(healthy());
    script.unsubscribe(800, 2, [ROOM]);
    script.publish(1000, M, 0);
    expect(only(script)).toMatchObject({ verdict: 'lost', cause: 'resubscribe-gap' });
  });

  it('two processes were cut: one judgement each', () => {
    const script = cutAndBack(healthy());
    script.trace.disconnect(905, 2, 'redis');
    script.subscribe(1910, 5, [ANNA, ROOM]);
    script.publish(1000, M, 0);
    expect(judged(script).map(({ cause, taker }) => [cause, taker])).toEqual([
      ['resubscribe-gap', 2],
      ['resubscribe-gap', 3],
    ]);
  });

  it('a subscriber past the proxy is counted: this one was gone before, all the same', () => {
    const script = healthy();
    script.publish(300, published('s', 2), 3);
    for (const connection of [2, 3]) script.heard(301, connection, published('s', 2));
    cutAndBack(script);
    script.publish(1000, M, 2);
    script.heard(1001, 2, M);
    expect(only(script)).toMatchObject({ verdict: 'lost', cause: 'resubscribe-gap' });
  });

  it('published after the new connection had asked, and before Redis confirmed it', () => {
    const script = healthy();
    script.trace.disconnect(900, 3, 'redis');
    script.subscribe(990, 4, [BERT, ROOM], { tookMs: 50 });
    script.publish(1000, M, 1);
    script.heard(1001, 2, M);
    expect(only(script)).toMatchObject({ verdict: 'lost', cause: 'resubscribe-gap' });
  });

  it('innocent: confirmed again before the PUBLISH', () => {
    const script = cutAndBack(healthy());
    script.publish(2000, M, 2);
    for (const connection of [2, 4]) script.heard(2001, connection, M);
    expect(only(script)).toMatchObject({ verdict: 'delivered' });
  });

  it('innocent: the new connection was subscribed in time, though its confirmation overlaps the PUBLISH', () => {
    const script = healthy();
    script.trace.disconnect(900, 3, 'redis');
    script.subscribe(990, 4, [BERT, ROOM], { tookMs: 50 });
    script.publish(1000, M, 2);
    for (const connection of [2, 4]) script.heard(1045, connection, M);
    expect(only(script)).toMatchObject({ verdict: 'delivered' });
  });

  it('innocent: the process left the group before its connection ended', () => {
    const script = healthy();
    script.unsubscribe(800, 3, [ROOM]);
    script.trace.disconnect(900, 3, 'redis');
    script.subscribe(1900, 4, [BERT]);
    script.publish(1000, M, 1);
    script.heard(1001, 2, M);
    expect(only(script)).toMatchObject({ verdict: 'delivered' });
  });

  it('innocent: the process closed its connection and never came back; another one joined the group', () => {
    const script = healthy();
    script.trace.disconnect(900, 3, 'client');
    script.publish(1000, M, 1);
    script.heard(1001, 2, M);
    script.subscribe(1900, 4, [CARL, ROOM]);
    expect(only(script)).toMatchObject({ verdict: 'delivered' });
  });

  it('innocent: it closed its connection with the message on its way, and never came back', () => {
    const script = healthy();
    script.unsubscribe(800, 2, [ROOM]);
    script.publish(1000, M, 1);
    script.trace.disconnect(1002, 3, 'client');
    expect(only(script)).toMatchObject({ verdict: 'recipients-left', cause: null });
  });

  it('undecided: Redis had counted it, the connection was cut, and nothing shows why', () => {
    const script = healthy();
    script.publish(1000, M, 2);
    script.heard(1001, 2, M);
    script.trace.disconnect(1005, 3, 'redis');
    script.subscribe(2005, 4, [BERT, ROOM]);
    expect(only(script)).toMatchObject({
      verdict: 'indeterminate',
      alternatives: ['output-buffer-overflow', 'resubscribe-gap'],
    });
  });

  it('undecided: no channel of a consumer says whose the new connection is', () => {
    const script = new PubSubScript(new ScriptedTrace());
    script.subscribe(10, 3, [ROOM]);
    script.trace.disconnect(900, 3, 'redis');
    script.publish(1000, M, 0);
    script.subscribe(1900, 4, [ROOM]);
    expect(only(script)).toMatchObject({
      verdict: 'indeterminate',
      alternatives: ['resubscribe-gap', 'recipients-left'],
    });
  });

  it('undecided: given up again as soon as it was back, so its last consumer may have been leaving', () => {
    const script = cutAndBack(healthy());
    script.unsubscribe(1902, 4, [ROOM]);
    script.publish(1000, M, 1);
    script.heard(1001, 2, M);
    expect(only(script)).toMatchObject({ verdict: 'indeterminate' });
  });

  it('undecided: the connection was cut, and the trace ends before its process could come back', () => {
    const script = healthy();
    script.trace.disconnect(900, 3, 'redis');
    script.publish(1000, M, 1);
    script.heard(1001, 2, M);
    script.trace.watermarkUs = 1_500_000;
    expect(only(script)).toMatchObject({ verdict: 'indeterminate' });
  });

  it.each([
    ['of its connection', { connection: 3 }],
    ['of the whole trace', {}],
    ["of another connection's requests", { connection: 7, direction: 'client' as const }],
  ])('undecided: a hole %s in the gap', (_, of) => {
    const script = cutAndBack(healthy());
    script.publish(1000, M, 1);
    script.heard(1001, 2, M);
    script.trace.hole(950, 960, of);
    expect(only(script)).toMatchObject({ verdict: 'indeterminate' });
  });

  it('a message that broke off when the connection ended did not come', () => {
    const script = cutAndBack(healthy());
    script.publish(1000, M, 1);
    script.heard(1001, 2, M);
    script.trace.hole(890, 900, { connection: 3, direction: 'redis', reason: 'unfinished' });
    expect(only(script)).toMatchObject({ verdict: 'lost', cause: 'resubscribe-gap' });
  });

  it('undecided: who subscribed, and was cut off, may be hidden in a hole', () => {
    const script = healthy();
    script.publish(1000, M, 2);
    for (const connection of [2, 3]) script.heard(1001, connection, M);
    script.trace.request(300, 6, ['PING'], null);
    script.trace.disconnect(700, 6, 'redis');
    expect(only(script)).toMatchObject({ verdict: 'delivered' });
    script.trace.hole(400, 500, { connection: 6 });
    expect(only(script)).toMatchObject({ verdict: 'indeterminate' });
  });

  it('a hole in what Redis said to a stranger hides nothing', () => {
    const script = cutAndBack(healthy());
    script.publish(1000, M, 1);
    script.heard(1001, 2, M);
    script.trace.hole(950, 960, { connection: 7, direction: 'redis' });
    expect(only(script)).toMatchObject({ verdict: 'lost', cause: 'resubscribe-gap' });
  });
});

describe('output-buffer-overflow', () => {
  /** Bert's process takes what comes 700 ms late; Redis counts it for `M`, and closes its connection. */
  function slow(by: 'client' | 'redis' = 'redis', reached = 2): PubSubScript {
    const script = healthy();
    script.publish(500, published('s', 9), 2);
    script.heard(501, 2, published('s', 9));
    script.heard(502, 3, published('s', 9), 700);
    script.publish(1000, M, reached);
    script.heard(1001, 2, M);
    script.trace.disconnect(1300, 3, by);
    return script;
  }

  it('Redis closes a subscriber that reads slowly, having counted it', () => {
    expect(only(slow())).toMatchObject({ verdict: 'lost', cause: 'output-buffer-overflow', taker: 3 });
  });

  it('also where its process comes back', () => {
    const script = slow();
    script.subscribe(2300, 4, [BERT, ROOM]);
    expect(only(script)).toMatchObject({ verdict: 'lost', cause: 'output-buffer-overflow' });
  });

  it('read from Redis, and never handed to the client', () => {
    const script = slow();
    script.heard(1002, 3, M, null);
    expect(only(script)).toMatchObject({ verdict: 'lost', cause: 'output-buffer-overflow' });
  });

  it('innocent: slow, and handed over before Redis closed it', () => {
    const script = slow();
    script.heard(1002, 3, M, 250);
    expect(only(script)).toMatchObject({ verdict: 'delivered' });
  });

  it('innocent: the client closed first, and did not come back', () => {
    expect(only(slow('client'))).toMatchObject({ verdict: 'delivered' });
  });

  it('innocent: not counted, so its connection was gone in Redis before: a gap', () => {
    const script = slow('redis', 1);
    script.subscribe(2300, 4, [BERT, ROOM]);
    expect(only(script)).toMatchObject({ verdict: 'lost', cause: 'resubscribe-gap' });
  });

  it('undecided: Redis closed another connection at that moment, so it may have stopped', () => {
    const script = slow();
    script.trace.disconnect(1301, 1, 'redis');
    expect(only(script)).toMatchObject({ verdict: 'indeterminate' });
  });

  it('undecided: a CLIENT KILL before the close', () => {
    const script = slow();
    script.trace.request(1290, 6, ['CLIENT', 'KILL', 'ID', '7'], { kind: 'integer', value: 1n });
    expect(only(script)).toMatchObject({ verdict: 'indeterminate' });
  });

  it('undecided: somebody is subscribed past the proxy, so who was counted is not known', () => {
    const script = slow();
    script.publish(300, published('s', 2), 3);
    for (const connection of [2, 3]) script.heard(301, connection, published('s', 2));
    expect(only(script)).toMatchObject({ verdict: 'indeterminate' });
  });
});

describe('no-subscriber', () => {
  it('nobody was subscribed, and a client missed it', () => {
    const script = new PubSubScript(new ScriptedTrace());
    script.publish(1000, M, 0);
    expect(only(script, true)).toMatchObject({ verdict: 'not-addressed', cause: 'no-subscriber' });
  });

  it('undecided: a hole may hide somebody who was asking to be subscribed just then', () => {
    const script = new PubSubScript(new ScriptedTrace());
    script.trace.hole(950, 1050, { connection: 4, direction: 'client' });
    script.publish(1000, M, 0);
    expect(only(script, true)).toMatchObject({
      verdict: 'indeterminate',
      alternatives: ['no-subscriber', 'subscribe-race'],
    });
    const before = new PubSubScript(new ScriptedTrace());
    before.trace.hole(5_000, 5_100);
    before.publish(1000, M, 0);
    expect(only(before, true)).toMatchObject({ cause: 'no-subscriber' });
  });

  it('innocent: everybody had left the group, and nobody misses it', () => {
    const script = healthy();
    for (const connection of [2, 3]) script.unsubscribe(900, connection, [ROOM]);
    script.publish(1000, M, 0);
    expect(only(script)).toMatchObject({ verdict: 'recipients-left', cause: null });
  });

  it('undecided: Redis reached somebody whom the trace does not show', () => {
    const script = new PubSubScript(new ScriptedTrace());
    script.publish(1000, M, 1);
    expect(only(script)).toMatchObject({ verdict: 'indeterminate' });
  });
});

describe('subscribe-race', () => {
  /** Carl's process asks for the room at `askedMs`; Redis confirms 20 ms later. */
  function joining(askedMs: number, reached = 0): PubSubScript {
    const script = new PubSubScript(new ScriptedTrace());
    script.subscribe(500, 5, [CARL]);
    script.subscribe(askedMs, 5, [ROOM], { tookMs: 20 });
    script.publish(1000, M, reached);
    return script;
  }

  it('asked for before the PUBLISH, confirmed after it, and a client missed it', () => {
    expect(only(joining(990), true)).toMatchObject({ verdict: 'not-addressed', cause: 'subscribe-race' });
  });

  it('innocent: confirmed before the PUBLISH', () => {
    const script = joining(900, 1);
    script.heard(1001, 5, M);
    expect(only(script)).toMatchObject({ verdict: 'delivered' });
  });

  it('innocent: subscribed in time, though the confirmation overlaps the PUBLISH', () => {
    const script = joining(990, 1);
    script.heard(1011, 5, M);
    expect(only(script)).toMatchObject({ verdict: 'delivered' });
  });

  it('innocent: asked for after the PUBLISH was answered: nobody was there', () => {
    expect(only(joining(1010))).toMatchObject({ verdict: 'recipients-left' });
  });

  it('undecided without a report: what the application meant to come first is not known', () => {
    expect(only(joining(990))).toMatchObject({
      verdict: 'indeterminate',
      alternatives: ['subscribe-race', 'recipients-left'],
    });
  });

  it('undecided: a hole hides the confirmation, so Redis may have been asked in time', () => {
    const trace = new ScriptedTrace();
    const script = new PubSubScript(trace);
    trace.request(990, 5, ['SUBSCRIBE', CARL, ROOM], null, { noReply: true });
    trace.hole(991, 1100, { connection: 5, direction: 'redis' });
    script.publish(1000, M, 0);
    expect(only(script, true)).toMatchObject({
      verdict: 'indeterminate',
      alternatives: ['no-subscriber', 'subscribe-race', 'recipients-left'],
    });
  });

  it('undecided where others got it: a newcomer, or something after Redis', () => {
    const script = healthy();
    script.subscribe(990, 5, [CARL, ROOM], { tookMs: 20 });
    script.publish(1000, M, 2);
    for (const connection of [2, 3]) script.heard(1001, connection, M);
    expect(only(script)).toMatchObject({ verdict: 'delivered' });
    expect(only(script, true)).toMatchObject({
      verdict: 'indeterminate',
      alternatives: ['lost-after-redis', 'subscribe-race'],
    });
  });
});

describe('lost-after-redis', () => {
  function reached(): PubSubScript {
    const script = healthy();
    script.publish(1000, M, 2);
    for (const connection of [2, 3]) script.heard(1001, connection, M);
    return script;
  }

  it('handed to every subscriber, and a client missed it', () => {
    expect(only(reached(), true)).toMatchObject({ verdict: 'lost', cause: 'lost-after-redis' });
  });

  it('innocent: nobody misses it', () => {
    expect(only(reached())).toMatchObject({ verdict: 'delivered' });
  });

  it('undecided: Redis counted one more, whose connection the trace does not show', () => {
    const script = healthy();
    script.publish(1000, M, 3);
    for (const connection of [2, 3]) script.heard(1001, connection, M);
    expect(only(script)).toMatchObject({ verdict: 'delivered' });
    expect(only(script, true)).toMatchObject({ verdict: 'indeterminate' });
  });

  it('undecided: another subscriber closed its connection without it', () => {
    const script = healthy();
    script.publish(1000, M, 2);
    script.heard(1001, 2, M);
    script.trace.disconnect(1002, 3);
    expect(only(script)).toMatchObject({ verdict: 'delivered' });
    expect(only(script, true)).toMatchObject({ verdict: 'indeterminate' });
  });

  it('undecided: published to two rooms, one of them empty: which the client means is not known', () => {
    const script = reached();
    script.publish(1100, M, 0, { channel: 'asgi__group__room_b' });
    expect(judged(script, true).map(({ verdict }) => verdict)).toEqual(['indeterminate', 'indeterminate']);
  });
});

describe('what else may be', () => {
  it('rejected: Redis refused it', () => {
    const script = healthy();
    script.publish(1000, M, null);
    expect(only(script)).toMatchObject({ verdict: 'rejected', cause: 'rejected' });
  });

  it('no reply to the PUBLISH: undecided; delivered where it came all the same', () => {
    const script = healthy();
    script.publish(1000, M, 0, { noReply: true });
    expect(judged(script).map(({ verdict }) => verdict)).toEqual(['indeterminate', 'indeterminate']);
    for (const connection of [2, 3]) script.heard(1001, connection, M);
    expect(only(script)).toMatchObject({ verdict: 'delivered' });
  });

  it('in-flight: subscribed, and the trace ends before it was handed over', () => {
    const script = healthy();
    script.publish(1000, M, 2);
    script.heard(1001, 2, M);
    script.heard(1001, 3, M, null);
    expect(only(script)).toMatchObject({ verdict: 'in-flight' });
  });

  it('undecided: later messages came on the connection, and this did not', () => {
    const script = healthy();
    script.publish(1000, M, 2);
    script.heard(1001, 2, M);
    script.publish(1100, published('s', 11), 2);
    for (const connection of [2, 3]) script.heard(1101, connection, published('s', 11));
    expect(only(script)).toMatchObject({ verdict: 'indeterminate' });
  });

  it('a consumer that is leaving is owed nothing', () => {
    const script = healthy();
    script.unsubscribe(999, 3, [ROOM], { tookMs: 5 });
    script.publish(1000, M, 1);
    script.heard(1001, 2, M);
    expect(only(script)).toMatchObject({ verdict: 'delivered' });
  });

  it('a send to one consumer names it as its recipient', () => {
    const script = healthy();
    script.publish(1000, M, 1, { channel: ANNA });
    script.heard(1001, 2, M, 0, ANNA);
    expect(judged(script)).toMatchObject([
      { verdict: 'delivered', queue: ANNA, payload: { recipients: [ANNA] } },
    ]);
  });
});

describe('equal messages', () => {
  const bell = published('bell', 10);

  it('the last ones are those that did not come', () => {
    const script = healthy();
    for (const at of [1000, 1100, 1200]) script.publish(at, bell, 2);
    for (const at of [1001, 1101, 1201]) script.heard(at, 2, bell);
    for (const at of [1001, 1101]) script.heard(at, 3, bell);
    script.trace.disconnect(1205, 3, 'client');
    script.subscribe(2205, 4, [BERT, ROOM]);
    expect(judged(script).map(({ verdict, atUs }) => [verdict, atUs])).toEqual([
      ['delivered', 1_001_000],
      ['delivered', 1_101_000],
      ['lost', 1_201_000],
    ]);
  });

  it('one that overlaps a join is not taken for the next one', () => {
    const script = healthy();
    script.subscribe(995, 5, [CARL, ROOM], { tookMs: 20 });
    script.publish(1000, bell, 2);
    script.publish(1100, bell, 3);
    for (const at of [1001, 1101]) for (const connection of [2, 3]) script.heard(at, connection, bell);
    script.heard(1101, 5, bell);
    expect(judged(script).map(({ verdict }) => verdict)).toEqual(['delivered', 'delivered']);
  });

  it('undecided where order does not tell which of them came', () => {
    const script = healthy();
    script.subscribe(995, 5, [CARL, ROOM], { tookMs: 20 });
    script.publish(1000, bell, 2);
    for (const at of [1100, 1200]) script.publish(at, bell, 3);
    for (const at of [1001, 1101, 1201]) for (const connection of [2, 3]) script.heard(at, connection, bell);
    script.heard(1205, 5, bell);
    script.trace.disconnect(1210, 5, 'redis');
    expect(judged(script).map(({ verdict }) => verdict)).toEqual([
      'delivered',
      'indeterminate',
      'indeterminate',
    ]);
  });
});

describe("other applications' pub/sub gets no verdict", () => {
  it.each([
    ['another name', 'news', M],
    ['a name that ends like a process of the core layer', `${ANNA}!`, M],
    ['text in a group', ROOM, Buffer.from('{"my_id":"s","count":10}')],
    ['a number in a group', ROOM, Buffer.from('7')],
  ])('%s', (_, channel, payload) => {
    const script = healthy();
    const before = new PubSubJudge(script.trace, new Evidence(script.trace)).all().length;
    script.publish(1000, payload, 0, { channel });
    expect(new PubSubJudge(script.trace, new Evidence(script.trace)).all()).toHaveLength(before);
  });

  it('an encrypted message is judged by its bytes', () => {
    const token = Buffer.from('gAAAAABmZ2FwdHJhY2UtdGVzdA==');
    const script = new PubSubScript(new ScriptedTrace());
    script.subscribe(10, 2, [ANNA, ROOM]);
    script.publish(1000, token, 1);
    script.heard(1001, 2, token);
    const [one, ...rest] = new PubSubJudge(script.trace, new Evidence(script.trace)).all();
    expect(one).toMatchObject({ verdict: 'delivered', payload: { sender: null, excerpt: null } });
    expect(rest).toEqual([]);
  });
});
