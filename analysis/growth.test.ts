import { expect, test } from 'vitest';
import { analyze } from './analyze.js';
import { CutTrace, verdicts } from './testing/cut-trace.js';
import { GROUP, integer, memberOf, PROCESS, QUEUE, ScriptedTrace } from './testing/scripted-trace.js';

// What an analysis costs grows with the trace, not with its square. No time is asserted: each of these takes a second or two, and took far
// longer than a test may while everything was looked for by going through all of it. A machine ten times as slow would still pass.

const ANNA = `${PROCESS}anna`;
const EACH_MS = 20;

/** So many messages in good health, one after another. */
function healthy(messages: number): ScriptedTrace {
  const trace = new ScriptedTrace();
  trace.join(1, 1, ANNA);
  for (let i = 1; i <= messages; i++) {
    const member = memberOf('s', i, [ANNA]);
    trace.rollCall(i * EACH_MS - 2, 1, [ANNA]);
    trace.groupSend(i * EACH_MS, 1, member);
    trace.receive(i * EACH_MS + 3, 2, member);
  }
  trace.watermarkUs = (messages + 1) * EACH_MS * 1000;
  return trace;
}

test('a hole over half of all replies', () => {
  const whole = healthy(3000);
  const [fromUs, toUs] = [whole.watermarkUs / 4, (whole.watermarkUs * 3) / 4];
  const judged = verdicts(new CutTrace(whole, [{ fromUs, toUs, connection: null, direction: 'redis' }]));
  expect(judged.size).toBe(3000);
  expect(new Set(judged.values())).toEqual(new Set(['delivered', 'indeterminate']));
});

test('a consumer that joins and leaves group after group', () => {
  const messages = 5000;
  const trace = healthy(messages);
  for (let i = 1; i <= messages; i++) {
    trace.join(i * EACH_MS + 14, 1, ANNA, `${GROUP}${i}`);
    trace.leave(i * EACH_MS + 15, 1, ANNA, `${GROUP}${i}`);
  }
  const judged = verdicts(trace);
  expect([...judged.values()].filter((verdict) => verdict === 'delivered')).toHaveLength(messages);
});

test('a queue that nobody reads, trimmed by each send', () => {
  const trace = new ScriptedTrace();
  trace.join(1, 1, ANNA);
  trace.receive(2, 2, memberOf('first', 0, [ANNA]));
  for (let i = 1; i <= 4000; i++) {
    const at = i * EACH_MS;
    const trim = ['ZREMRANGEBYSCORE', QUEUE, '0', String(at / 1000 - 5)];
    trace.request(at, 1, trim, integer(at > 5000 ? 1 : 0));
    trace.groupSend(at + 2, 1, memberOf('s', i, [ANNA]));
  }
  trace.watermarkUs = 4001 * EACH_MS * 1000;
  expect(verdicts(trace).size).toBe(4001);
});

test('polls that nobody answered, and messages that nobody received', () => {
  const trace = new ScriptedTrace();
  trace.join(1, 1, ANNA);
  trace.receive(2, 2, memberOf('first', 0, [ANNA]));
  for (let i = 1; i <= 6000; i++) {
    const at = i * EACH_MS;
    trace.connect(at, 2 + i);
    trace.poll(at + 1, 2 + i, null, { noReply: true });
    trace.disconnect(at + 2, 2 + i, 'redis', 'reset');
    trace.groupSend(at + 4, 1, memberOf('s', i, [ANNA]));
  }
  trace.watermarkUs = 6001 * EACH_MS * 1000;
  expect(verdicts(trace).size).toBe(6001);
});

test('a file of gaps, one for each second count', () => {
  const gaps = 5000;
  const trace = healthy(0);
  for (let i = 1; i <= gaps; i++) {
    const member = memberOf('s', 2 * i, [ANNA]);
    trace.rollCall(i * EACH_MS - 2, 1, [ANNA]);
    trace.groupSend(i * EACH_MS, 1, member);
    trace.receive(i * EACH_MS + 3, 2, member);
    trace.rollCall(i * EACH_MS + 14, 1, []);
  }
  trace.watermarkUs = (gaps + 1) * EACH_MS * 1000;
  const reports = Array.from({ length: gaps - 1 }, (_, i) => ({
    ...{ client: 'bert', room: 'room_a', sender: 's' },
    ...{ expected: 2 * i + 3, received: 2 * i + 4, missing: [2 * i + 3], at: null },
  }));
  const log = { gaps: reports, received: [], sent: [], spokeAs: new Map() };
  const { summary } = analyze(trace, { ask: 'gaps', log });
  expect(summary.indeterminate).toBe(gaps - 1);
});
