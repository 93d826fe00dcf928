import { createHash } from 'node:crypto';
import { encode } from '@msgpack/msgpack';
import { describe, expect, it } from 'vitest';
import { readGapReports } from '../clients/gap-report.js';
import { analyze } from './analyze.js';
import { renderAnalysis } from './render/text.js';
import { consumerChannel, PubSubScript, published, ROOM } from './testing/scripted-pubsub.js';
import { array, bulk, integer, memberOf, nil, ScriptedTrace } from './testing/scripted-trace.js';
import { exitStatusOf } from './verdict.js';

/** Counts 0 to 4 of `s`: 2 is lost, 4 popped twice, the others delivered. Then a second of rest. */
function trace(): ScriptedTrace {
  const script = new ScriptedTrace();
  for (const count of [0, 1, 3]) {
    script.groupSend(count * 100 + 1, 1, memberOf('s', count));
    script.receive(count * 100 + 10, 2, memberOf('s', count));
  }
  const [lost, late] = [memberOf('s', 2), memberOf('s', 4)];
  script.groupSend(201, 1, lost);
  script.poll(210, 3, lost);
  script.disconnect(215, 3);
  script.restore(220, 2);
  script.groupSend(401, 1, late);
  script.poll(410, 4, late);
  script.backup(413, 4, late);
  script.disconnect(415, 4);
  script.receive(430, 2, late);
  script.watermarkUs = 2_000_000;
  return script;
}

const line = (event: object) => JSON.stringify({ schema: 1, room: 'r', client: 'c', ...event });
const gap = (expected: number, more: object = {}) =>
  line({ event: 'gap', sender: 's', expected, received: expected + 1, missing: [expected], ...more });
const recv = (...counts: number[]) =>
  counts.map((count) => line({ event: 'recv', sender: 's', count, t: count / 10 }));
const gaps = async (...lines: string[]) =>
  analyze(trace(), { ask: 'gaps', log: await readGapReports(lines) });
/** Years after the trace. */
const LATER = '2030-01-01T00:00:00.000Z';
const message = (sender: string, count: number, of = trace()) =>
  analyze(of, { ask: 'message', sender, count });

describe('gaps of a file', () => {
  it('a client log: what was missed is found, what was received is counted', async () => {
    const analysis = await gaps(...recv(0, 1, 3, 4));
    expect(analysis.findings).toMatchObject([
      {
        sender: 's',
        count: 2,
        room: 'r',
        reported_by: ['c'],
        verdict: 'lost',
        cause: 'popped-then-disconnected',
      },
    ]);
    expect(analysis.summary).toEqual({ delivered: 3, lost: 1, indeterminate: 0, 'redelivered-late': 1 });
    expect(exitStatusOf(analysis.findings)).toBe(1);
  });

  it('several clients that missed the same message make one finding', async () => {
    const { findings } = await gaps(gap(2), gap(2, { client: 'd' }));
    expect(findings).toMatchObject([{ reported_by: ['c', 'd'] }]);
  });

  it('popped without a backup by a client that then closed: whose it was may say that it never came, nobody else', async () => {
    const [queue, recipient] = ['asgi:specific.dqKbMlZp!', 'specific.dqKbMlZp!a'];
    const list = (sender: string, count: number, channel = '') =>
      Buffer.from(
        encode({
          text_data: JSON.stringify({ my_id: sender, count, sender_channel_name: channel }),
          __asgi_channel__: recipient,
        }),
      );
    const script = new ScriptedTrace();
    const passes = (atMs: number, connection: number, member: Buffer) => {
      script.request(atMs, 1, ['RPUSH', queue, member], integer(1));
      script.request(atMs + 2, connection, ['BLPOP', queue, '5'], array(bulk(queue), bulk(member)));
    };
    passes(100, 2, list('anna', 0, recipient));
    passes(110, 2, list('s', 0));
    script.disconnect(114, 2);
    passes(120, 3, list('s', 1));
    script.request(130, 3, ['BLPOP', queue, '1'], nil, { tookMs: 1000 });
    const reports = [line({ event: 'recv', client: 'c', sender: 'anna', count: 0 }), gap(0)];
    const { findings } = analyze(script, { ask: 'gaps', log: await readGapReports(reports) });
    expect(findings).toMatchObject([
      { verdict: 'indeterminate', alternatives: ['list-era-pop', 'delivered'] },
    ]);
    const log = { ...(await readGapReports(reports)), spokeAs: new Map([['c', new Set(['anna'])]]) };
    expect(analyze(script, { ask: 'gaps', log }).findings).toMatchObject([
      { verdict: 'lost', cause: 'list-era-pop', reported_by: ['c'] },
    ]);
  });

  it('missed, but popped, backed up and acknowledged: lost after Redis', async () => {
    const analysis = await gaps(gap(1));
    expect(analysis.findings).toMatchObject([{ verdict: 'lost', cause: 'lost-after-redis' }]);
    expect(analysis.findings[0]?.explanation).toContain('Redis delivered it; it was lost after Redis');
    expect(exitStatusOf(analysis.findings)).toBe(1);
  });

  it('reported at once, delivered late: not lost', async () => {
    const analysis = await gaps(gap(4));
    expect(analysis.findings).toMatchObject([{ verdict: 'redelivered-late', cause: 'redelivered-late' }]);
    expect(exitStatusOf(analysis.findings)).toBe(0);
  });

  it('delivered late, but a whole log shows that it never came: lost after Redis', async () => {
    const late = line({ event: 'recv', sender: 's', count: 5, t: 0.6 });
    const { findings } = await gaps(...recv(0, 1, 2, 3), late);
    expect(findings).toMatchObject([{ count: 4, verdict: 'lost', cause: 'lost-after-redis' }]);
  });

  it('no gaps: nothing lost', async () => {
    expect(exitStatusOf((await gaps(...recv(0, 1))).findings)).toBe(0);
  });

  it.each([
    ['a sender that it knows', gap(50, { at: LATER })],
    ['a sender that it does not know', gap(1, { sender: 'stranger', at: LATER })],
    ['the same sender and count, which were delivered here', gap(1, { at: LATER })],
  ])('of another run, with %s: undecided, and both times are said', async (_, report) => {
    const analysis = await gaps(report);
    expect(analysis.findings).toMatchObject([{ verdict: 'indeterminate', cause: null }]);
    expect(analysis.findings[0]?.explanation).toContain(
      `a client noticed it at ${LATER}, the trace goes from 2023-11-14T22:13:20.000Z to 2023-11-14T22:13:22.000Z`,
    );
    expect(exitStatusOf(analysis.findings)).toBe(3);
  });

  it('noticed some seconds after the trace ended: of this run', async () => {
    const { findings } = await gaps(gap(1, { at: '2023-11-14T22:13:30.000Z' }));
    expect(findings).toMatchObject([{ verdict: 'lost', cause: 'lost-after-redis' }]);
  });

  it('reported twice by the same client: one finding, which names it once', async () => {
    const twice = await gaps(gap(2), gap(1), gap(2), ...recv(0, 1, 3, 4));
    expect(twice.findings).toMatchObject([
      { count: 2, reported_by: ['c'] },
      { count: 1, reported_by: ['c'] },
    ]);
    expect(twice.summary).toMatchObject({ lost: 2, delivered: 2 });
  });

  it('of a sender unknown to the trace: undecided beside others, refused where nobody is known', async () => {
    const { findings } = await gaps(gap(2), gap(1, { sender: 'stranger' }));
    expect(findings.map(({ verdict }) => verdict)).toEqual(['lost', 'indeterminate']);
    await expect(gaps(gap(1, { sender: 'stranger' }))).rejects.toMatchObject({
      code: 'GAPTRACE_SENDER',
      exitStatus: 2,
    });
  });
});

describe('one message', () => {
  it('lost, delivered, late', () => {
    expect([2, 1, 4].map((count) => message('s', count).findings[0]?.verdict)).toEqual([
      'lost',
      'delivered',
      'redelivered-late',
    ]);
    expect([2, 1, 4].map((count) => exitStatusOf(message('s', count).findings))).toEqual([1, 0, 0]);
  });

  it('never-sent: the sender is known, the count is not, the time has no hole', () => {
    const analysis = message('s', 9);
    expect(analysis.findings).toMatchObject([{ verdict: 'never-sent', cause: 'never-sent', operations: [] }]);
    expect(analysis.findings[0]?.explanation).toContain('o operation carries it');
    expect(exitStatusOf(analysis.findings)).toBe(1);
  });

  it('a hole where it could have been sent: undecided', () => {
    const holed = trace();
    holed.hole(1000, null);
    const analysis = message('s', 9, holed);
    expect(analysis.findings).toMatchObject([{ verdict: 'indeterminate' }]);
    expect(exitStatusOf(analysis.findings)).toBe(3);
  });

  it('before the first that the trace knows: it may have been sent before the trace began', () => {
    const late = new ScriptedTrace();
    late.groupSend(1, 1, memberOf('s', 7));
    const { findings } = message('s', 3, late);
    expect(findings).toMatchObject([{ verdict: 'indeterminate', cause: null }]);
    expect(findings[0]?.explanation).toContain('may have been sent before the trace began');
    expect(exitStatusOf(findings)).toBe(3);
  });

  it('in its queue before the trace began, and popped in it: undecided where nothing tells, delivered where it was', () => {
    const late = new ScriptedTrace();
    late.receive(1, 2, memberOf('s', 7));
    late.poll(20, 3, memberOf('s', 8));
    late.disconnect(25, 3);
    late.watermarkUs = 30_000;
    const verdicts = [7, 8].map((count) => message('s', count, late).findings[0]?.verdict);
    expect(verdicts).toEqual(['delivered', 'in-flight']);
  });

  it('an unknown sender is refused, with a name that is like it', () => {
    expect(() => message('sender', 1)).toThrow(/no message of sender sender: did you mean s\?/);
  });
});

describe('every loss', () => {
  it('lists the losses and counts all messages', () => {
    const analysis = analyze(trace(), { ask: 'losses' });
    expect(analysis.findings).toMatchObject([{ sender: 's', count: 2, verdict: 'lost' }]);
    expect(analysis.summary).toEqual({ delivered: 3, lost: 1, indeterminate: 0, 'redelivered-late': 1 });
  });

  it('a message without sender and count is judged by its member, and named by its digest', () => {
    const script = trace();
    const encrypted = Buffer.alloc(40, 0xc1); // a byte that msgpack never uses
    script.groupSend(501, 1, encrypted);
    script.poll(510, 5, encrypted);
    script.disconnect(515, 5);
    script.restore(520, 2);
    const { findings } = analyze(script, { ask: 'losses' });
    const digest = createHash('sha256').update(encrypted).digest('hex').slice(0, 12);
    expect(findings).toMatchObject([
      { sender: 's', count: 2 },
      { sender: null, count: null, member: digest, verdict: 'lost', cause: 'popped-then-disconnected' },
    ]);
    expect(findings[1]?.explanation).toContain(`The message ${digest} was put into queue`);
    expect(renderAnalysis(analyze(script, { ask: 'losses' }))).toContain(
      `LOST: popped-then-disconnected  message ${digest}\n`,
    );
  });

  it('counts blanked secrets apart from the holes', () => {
    const script = trace();
    script.hole(1, 1, { reason: 'redacted' });
    script.hole(1900, 1900);
    expect(analyze(script, { ask: 'losses' }).trace).toMatchObject({ holes: 1, redacted: 1 });
  });

  it('a message to two processes has a fate in each queue', () => {
    const script = trace();
    const other = `chat${'specific.ffffffffffffffffffffffffffffffff!'}`;
    script.groupSend(402, 1, memberOf('s', 3), { queue: other });
    expect(analyze(script, { ask: 'losses' }).summary).toMatchObject({ delivered: 3, 'in-flight': 1 });
    expect(message('s', 3, script).findings).toMatchObject([{ verdict: 'in-flight', queue: other }]);
  });
});

describe('a trace of both layers', () => {
  /** Beside the queue's messages, three of `p`: 0 reached its subscriber, 1 fell into a gap, 2 was sent to nobody. */
  function both(): ScriptedTrace {
    const script = trace();
    const pubsub = new PubSubScript(script);
    const names = [consumerChannel('anna'), ROOM];
    pubsub.subscribe(10, 12, names);
    pubsub.publish(100, published('p', 0), 1, { connection: 11 });
    pubsub.heard(101, 12, published('p', 0));
    script.disconnect(150, 12, 'redis');
    pubsub.publish(200, published('p', 1), 0, { connection: 11 });
    pubsub.subscribe(1150, 13, names);
    pubsub.unsubscribe(1500, 13, [ROOM]);
    pubsub.publish(1600, published('p', 2), 0, { connection: 11 });
    return script;
  }

  it('every loss of either is found, and the messages of both are counted', () => {
    const analysis = analyze(both(), { ask: 'losses' });
    expect(analysis.findings.map(({ sender, count, cause }) => [sender, count, cause])).toEqual([
      ['s', 2, 'popped-then-disconnected'],
      ['p', 1, 'resubscribe-gap'],
    ]);
    expect(analysis.summary).toEqual({
      ...{ delivered: 4, lost: 2, indeterminate: 0 },
      ...{ 'redelivered-late': 1, 'recipients-left': 1 },
    });
  });

  it('a finding of the pub/sub layer cites its operations, and says what happened and what to do', () => {
    const analysis = analyze(both(), { ask: 'message', sender: 'p', count: 1 });
    const [finding] = analysis.findings;
    expect(finding).toMatchObject({
      ...{ verdict: 'lost', cause: 'resubscribe-gap', queue: ROOM, recipients: [] },
      operations: [{ role: 'subscribe' }, { role: 'publish', command: 'PUBLISH' }, { role: 'resubscribe' }],
      events: [{ connection: 12, event: 'closed', by: 'redis' }],
    });
    const text = renderAnalysis(analysis);
    expect(text).toContain('LOST: resubscribe-gap  message 1 of sender p');
    for (const row of ['subscribed', 'published', 'closed', 'again'])
      expect(text).toMatch(new RegExp(`^ +\\+[0-9.]+s {2}${row}`, 'm'));
    expect(text).toContain('What to do: channels_redis.pubsub cannot get back');
  });

  it('a client misses what reached its subscriber, what fell into the gap, and what was sent to nobody', async () => {
    const missed = [0, 1, 2].map((expected) => gap(expected, { sender: 'p' }));
    const { findings } = analyze(both(), { ask: 'gaps', log: await readGapReports(missed) });
    expect(findings.map(({ count, verdict, cause }) => [count, verdict, cause])).toEqual([
      [0, 'lost', 'lost-after-redis'],
      [1, 'lost', 'resubscribe-gap'],
      [2, 'not-addressed', 'no-subscriber'],
    ]);
  });
});
