import { describe, expect, it } from 'vitest';
import { readGapReports } from '../clients/gap-report.js';
import { analyze } from './analyze.js';
import { memberOf, ScriptedTrace } from './testing/scripted-trace.js';
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

  it('of a time that the trace does not cover: undecided, not never-sent', async () => {
    const analysis = await gaps(gap(50, { at: '2030-01-01T00:00:00Z' }));
    expect(analysis.findings).toMatchObject([{ verdict: 'indeterminate' }]);
    expect(analysis.findings[0]?.explanation).toContain('does not cover');
    expect(exitStatusOf(analysis.findings)).toBe(3);
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
    expect(message('s', 3, late).findings).toMatchObject([{ verdict: 'indeterminate' }]);
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
