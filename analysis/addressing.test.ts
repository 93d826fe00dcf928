import { describe, expect, it } from 'vitest';
import { type ClientLog, type GapReport, readGapReports } from '../clients/gap-report.js';
import { encodeMember } from '../server/layers/message.js';
import { analyze } from './analyze.js';
import { GROUP, integer, PROCESS, QUEUE, ScriptedTrace } from './testing/scripted-trace.js';

// Anna and Bert are clients in one room; Sam sends, and is in no group. Count 1 is the one that Bert misses.

const ANNA = `${PROCESS}anna`;
const BERT = `${PROCESS}bert`;
const SAM = `${PROCESS}sam`;

function member(
  sender: string,
  channel: string,
  count: number | null,
  recipients: readonly string[],
): Buffer {
  const text_data = JSON.stringify(count === null ? { connect: channel } : { my_id: sender, count });
  const message = {
    type: 'chat_send',
    text_data,
    sender_channel_name: channel,
    __asgi_channel__: recipients,
  };
  return Buffer.from(encodeMember(message, Buffer.alloc(12, `${sender}${count}${recipients.join()}`)));
}

/** A whole group_send at a time: roll call, enqueue, and (20 ms later) the healthy reception of it. */
function send(
  trace: ScriptedTrace,
  atMs: number,
  {
    from = 'sam',
    by = SAM,
    count,
    to,
  }: { from?: string; by?: string; count: number | null; to: readonly string[] },
): void {
  trace.rollCall(atMs, 1, to);
  if (to.length === 0) return;
  const message = member(from, by, count, to);
  trace.groupSend(atMs + 2, 1, message);
  trace.receive(atMs + 20, 2, message);
}

function joins(trace: ScriptedTrace, atMs: number, channel: string, lifetime = 86_400): void {
  trace.request(atMs, 1, ['ZADD', GROUP, String(atMs / 1000), channel], integer(1));
  trace.request(atMs + 2, 1, ['EXPIRE', GROUP, String(lifetime)], integer(1));
}

function start(): ScriptedTrace {
  const trace = new ScriptedTrace();
  joins(trace, 1, ANNA);
  send(trace, 50, { from: 'anna', by: ANNA, count: 0, to: [ANNA] });
  return trace;
}

const BERTS_GAP: GapReport = {
  ...{ client: 'bert', room: 'a', sender: 'sam', expected: 1, received: 2, missing: [1], at: null },
};

async function log(...more: readonly object[]): Promise<ClientLog> {
  const lines = [{ event: 'gap', ...BERTS_GAP, at: undefined }, ...more];
  return readGapReports(lines.map((line) => JSON.stringify({ schema: 1, ...line })));
}

const BERT_IS_BERT = { event: 'start', client: 'bert', id: 'bert' };

async function findingsOf(trace: ScriptedTrace, ...more: readonly object[]) {
  return analyze(trace, { ask: 'gaps', log: await log(...more) }).findings;
}

async function findingOf(trace: ScriptedTrace) {
  const findings = await findingsOf(trace, BERT_IS_BERT);
  expect(findings).toHaveLength(1);
  return findings[0]!;
}

/** Bert is there for count 2, and has spoken at some time. */
function bertGetsCount2(trace: ScriptedTrace, atMs = 3000): ScriptedTrace {
  send(trace, atMs, { count: 2, to: [ANNA, BERT] });
  send(trace, atMs + 100, { from: 'bert', by: BERT, count: 9, to: [ANNA, BERT] });
  return trace;
}

describe('not-a-member, where the group had others', () => {
  it('not-a-member: a join race: Bert was speaking already, and was put into the group after the message was sent', async () => {
    const trace = start();
    send(trace, 200, { from: 'bert', by: BERT, count: 0, to: [ANNA] });
    send(trace, 1000, { count: 1, to: [ANNA] });
    joins(trace, 1100, BERT);
    const finding = await findingOf(bertGetsCount2(trace));
    expect(finding).toMatchObject({
      ...{ verdict: 'not-addressed', cause: 'not-a-member', reported_by: ['bert'], group: GROUP },
    });
    expect(finding.explanation).toContain('it had spoken before');
    expect(finding.operations.map(({ role }) => role)).toEqual(['roll-call', 'enqueue', 'join']);
  });

  it('not-a-member: a join race: his joining was under way when Redis was asked', async () => {
    const trace = start();
    send(trace, 1000, { count: 1, to: [ANNA] });
    joins(trace, 1000.5, BERT);
    expect(await findingOf(bertGetsCount2(trace))).toMatchObject({ cause: 'not-a-member' });
  });

  it('not-a-member: Bert had left, and joined again later', async () => {
    const trace = start();
    joins(trace, 100, BERT);
    trace.leave(900, 1, BERT);
    send(trace, 1000, { count: 1, to: [ANNA] });
    joins(trace, 1100, BERT);
    const finding = await findingOf(bertGetsCount2(trace));
    expect(finding).toMatchObject({ verdict: 'not-addressed', cause: 'not-a-member' });
    expect(finding.explanation).toContain('had left the group');
  });

  it('not-a-member: group expiry: he was removed by age', async () => {
    const trace = start();
    joins(trace, 100, BERT);
    trace.request(990, 1, ['ZREMRANGEBYSCORE', GROUP, '0', '0.5'], integer(1));
    send(trace, 1000, { count: 1, to: [ANNA] });
    joins(trace, 1100, BERT);
    const finding = await findingOf(bertGetsCount2(trace));
    expect(finding).toMatchObject({ verdict: 'not-addressed', cause: 'not-a-member' });
    expect(finding.explanation).toContain('group_expiry');
  });

  it('not-a-member: group expiry: the whole group ended, and Anna alone joined again', async () => {
    const trace = start();
    joins(trace, 100, BERT, 1);
    joins(trace, 1500, ANNA, 60);
    send(trace, 2000, { count: 1, to: [ANNA] });
    joins(trace, 2100, BERT);
    const finding = await findingOf(bertGetsCount2(trace));
    expect(finding).toMatchObject({ verdict: 'not-addressed', cause: 'not-a-member' });
    expect(finding.explanation).toContain('whole group had expired');
  });

  it('innocent twin of not-a-member: a late joiner is owed nothing that was sent before', async () => {
    const trace = start();
    send(trace, 1000, { count: 1, to: [ANNA] });
    joins(trace, 2000, BERT);
    const finding = await findingOf(bertGetsCount2(trace));
    expect(finding).toMatchObject({ verdict: 'delivered', cause: null });
    expect(finding.explanation).toContain('bert came later');
  });

  it('innocent twin of not-a-member: Bert was called, and the message was lost after Redis', async () => {
    const trace = start();
    joins(trace, 100, BERT);
    send(trace, 1000, { count: 1, to: [ANNA, BERT] });
    expect(await findingOf(bertGetsCount2(trace))).toMatchObject({
      verdict: 'lost',
      cause: 'lost-after-redis',
    });
  });

  it('innocent twin of not-a-member: purged by age are those who joined before, not Bert', async () => {
    const trace = start();
    joins(trace, 800, BERT);
    trace.request(990, 1, ['ZREMRANGEBYSCORE', GROUP, '0', '0.5'], integer(1));
    send(trace, 1000, { count: 1, to: [ANNA] });
    const finding = await findingOf(bertGetsCount2(trace));
    expect(finding.explanation).toContain('nothing in the trace shows what took it out again');
  });
});

describe('not-a-member, where the evidence does not decide', () => {
  /** Bert left, and count 1 was sent to Anna alone. */
  function left(): ScriptedTrace {
    const trace = start();
    joins(trace, 100, BERT);
    send(trace, 300, { count: 0, to: [ANNA, BERT] });
    trace.leave(900, 1, BERT);
    send(trace, 1000, { count: 1, to: [ANNA] });
    joins(trace, 1100, BERT);
    return bertGetsCount2(trace);
  }

  it('a hole between the neighbouring counts may hide another send of it', async () => {
    const trace = left();
    trace.hole(1500, 1600);
    expect(await findingOf(trace)).toMatchObject({
      verdict: 'indeterminate',
      alternatives: ['not-a-member'],
    });
  });

  it('a late joiner, if a hole may hide that he had been heard of before', async () => {
    const trace = start();
    send(trace, 1000, { count: 1, to: [ANNA] });
    joins(trace, 2000, BERT);
    trace.hole(500, 600);
    expect(await findingOf(bertGetsCount2(trace))).toMatchObject({
      ...{ verdict: 'indeterminate', alternatives: ['not-a-member', 'recipients-left'] },
    });
  });

  it('a client whose channel is unknown: nothing is guessed, and it is said what is not known', async () => {
    const [finding] = await findingsOf(left(), { event: 'start', client: 'bert', id: 'nobody' });
    expect(finding?.cause).not.toBe('not-a-member');
    expect(finding?.explanation).toContain("Which channel was bert's is not known");
  });

  it('undecided: that channel may be unknown only because of a hole, and the message was delivered to others', async () => {
    const lost = { verdict: 'lost', cause: 'lost-after-redis' };
    const stranger = { event: 'start', client: 'bert', id: 'nobody' };
    expect(await findingsOf(left(), stranger)).toMatchObject([lost]);
    const trace = left();
    trace.hole(500, 600);
    expect(await findingsOf(trace, stranger)).toMatchObject([
      {
        ...{ verdict: 'indeterminate', cause: null },
        alternatives: ['lost-after-redis', 'not-a-member', 'misrouted'],
      },
    ]);
    const later = left();
    later.hole(50_000, 50_100);
    expect(await findingsOf(later, stranger)).toMatchObject([lost]);
  });

  it('a client that received what was for none of its channels has another channel', async () => {
    const trace = start();
    send(trace, 1000, { count: 1, to: [ANNA] });
    send(trace, 2000, { count: 2, to: [ANNA] });
    send(trace, 2100, { from: 'bert', by: BERT, count: 9, to: [ANNA] });
    const finding = await findingOf(trace);
    expect(finding.cause).not.toBe('not-a-member');
    expect(finding.explanation).toContain('count 2, which it did receive, was not for the channel');
  });

  it('recipients that no ZRANGE named: some may be on another host', async () => {
    const trace = start();
    joins(trace, 100, BERT);
    const message = member('sam', SAM, 1, [ANNA]);
    trace.groupSend(1002, 1, message);
    trace.receive(1020, 2, message);
    expect(await findingOf(bertGetsCount2(trace))).toMatchObject({
      ...{ verdict: 'indeterminate', alternatives: ['not-a-member'] },
    });
  });

  it('a report of another time may be of another run', async () => {
    const at = '2030-01-01T00:00:00Z';
    const late = { event: 'gap', ...BERTS_GAP, at };
    const { findings } = analyze(left(), {
      ask: 'gaps',
      log: await readGapReports([BERT_IS_BERT, late].map((line) => JSON.stringify(line))),
    });
    expect(findings).toMatchObject([{ verdict: 'indeterminate', cause: null }]);
  });

  it('each client is answered for its own queue', async () => {
    const findings = await findingsOf(left(), BERT_IS_BERT, {
      ...{ event: 'gap', ...BERTS_GAP, client: 'anna', at: undefined },
    });
    expect(findings.map(({ reported_by, cause }) => [reported_by, cause])).toEqual([
      [['bert'], 'not-a-member'],
      [['anna'], 'lost-after-redis'],
    ]);
  });
});

describe('not-a-member, where nobody was in the group', () => {
  /** Bert alone is in the group for count 0, and again for count 2. */
  function alone(between: (trace: ScriptedTrace) => void): ScriptedTrace {
    const trace = new ScriptedTrace();
    joins(trace, 100, BERT, 1);
    send(trace, 300, { count: 0, to: [BERT] });
    between(trace);
    joins(trace, 2500, BERT, 1);
    send(trace, 2600, { from: 'bert', by: BERT, count: 0, to: [BERT] });
    send(trace, 3000, { count: 2, to: [BERT] });
    return trace;
  }

  it('not-a-member: an empty roll call is all there is of a message to an expired group', async () => {
    const finding = await findingOf(alone((trace) => send(trace, 2000, { count: 1, to: [] })));
    expect(finding).toMatchObject({ verdict: 'not-addressed', cause: 'not-a-member', group: GROUP });
    expect(finding.explanation).toContain('Redis named nobody');
    expect(finding.explanation).toContain('whole group had expired');
  });

  it('innocent twin of not-a-member: no roll call at all: never sent', async () => {
    expect(await findingOf(alone(() => {}))).toMatchObject({ verdict: 'never-sent', cause: 'never-sent' });
  });

  it('innocent twin of not-a-member: the empty roll call was of another group', async () => {
    const trace = alone((one) => one.rollCall(2000, 1, [], `${GROUP}2`));
    expect(await findingOf(trace)).toMatchObject({ verdict: 'never-sent' });
  });

  it('undecided: a roll call whose reply is not in the trace may have found nobody', async () => {
    const trace = alone((one) => {
      one.request(2000, 1, ['ZRANGE', GROUP, '0', '-1'], null);
    });
    expect(await findingOf(trace)).toMatchObject({
      ...{ verdict: 'indeterminate', alternatives: ['never-sent', 'not-a-member'] },
    });
  });

  it('undecided: the application announces comings without a count, and one may have been to the empty group', async () => {
    const trace = alone((one) => send(one, 2000, { count: 1, to: [] }));
    send(trace, 3500, { count: null, to: [BERT] });
    expect(await findingOf(trace)).toMatchObject({
      ...{ verdict: 'indeterminate', alternatives: ['never-sent', 'not-a-member'] },
    });
  });

  it('undecided: another sender misses a count at that time, and there is one empty roll call for both', async () => {
    const trace = alone((one) => send(one, 2000, { count: 1, to: [] }));
    send(trace, 350, { from: 'kim', by: `${PROCESS}kim`, count: 5, to: [BERT] });
    send(trace, 3200, { from: 'kim', by: `${PROCESS}kim`, count: 7, to: [BERT] });
    expect(await findingOf(trace)).toMatchObject({ verdict: 'indeterminate' });
  });

  it('recipients-left: sent to nobody before the client came', async () => {
    const trace = new ScriptedTrace();
    joins(trace, 1, ANNA);
    send(trace, 300, { count: 0, to: [ANNA] });
    trace.leave(400, 1, ANNA);
    send(trace, 1000, { count: 1, to: [] });
    joins(trace, 2000, BERT);
    expect(await findingOf(bertGetsCount2(trace))).toMatchObject({ verdict: 'recipients-left', cause: null });
  });
});

it('a message by send, to one channel, was not meant for a group', async () => {
  const trace = start();
  joins(trace, 100, BERT);
  const direct = member('sam', SAM, 1, [ANNA]);
  trace.request(1000, 1, ['ZADD', QUEUE, '1', direct], integer(1));
  trace.receive(1020, 2, direct);
  const finding = await findingOf(bertGetsCount2(trace));
  expect(finding).toMatchObject({ verdict: 'not-addressed', cause: null });
  expect(finding.explanation).toContain('not to a group');
});
