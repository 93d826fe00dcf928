import { describe, expect, it } from 'vitest';
import { Evidence } from './evidence.js';
import { GROUP, PROCESS, QUEUE, ScriptedTrace } from './testing/scripted-trace.js';

const [ANNA, BERT] = [`${PROCESS}anna`, `${PROCESS}bert`];
const ELSEWHERE = 'specific.ffffffffffffffffffffffffffffffff!';

/** Channel and time in milliseconds of every departure. */
function departures(script: (trace: ScriptedTrace) => void): string[] {
  const trace = new ScriptedTrace();
  script(trace);
  return new Evidence(trace).departures
    .all()
    .map(({ channel, mark }) => `${channel.split('!')[1]} at ${mark.requestedUs / 1000}`);
}

describe('a departure', () => {
  it('is the leaving of the last group, not of one of two', () => {
    expect(
      departures((trace) => {
        trace.join(1, 1, ANNA);
        trace.join(2, 1, ANNA, `${GROUP}2`);
        trace.leave(10, 1, ANNA);
        trace.leave(20, 1, ANNA, `${GROUP}2`);
      }),
    ).toEqual(['anna at 20']);
  });

  it('happens once, however often it is said; and again after coming back', () => {
    expect(
      departures((trace) => {
        trace.join(1, 1, ANNA);
        trace.leave(10, 1, ANNA);
        trace.leave(11, 1, ANNA);
        trace.join(20, 1, ANNA);
        trace.leave(30, 1, ANNA);
      }),
    ).toEqual(['anna at 10', 'anna at 30']);
  });

  it('of one who joined before the trace began counts too', () => {
    expect(departures((trace) => trace.leave(10, 1, ANNA))).toEqual(['anna at 10']);
  });
});

describe('next to a moment', () => {
  const trace = new ScriptedTrace();
  trace.leave(100, 1, ANNA);
  trace.leave(200, 1, BERT);
  trace.leave(190, 1, `${ELSEWHERE}carl`);
  const { departures: all } = new Evidence(trace);
  const nextTo = (atMs: number) => all.nextTo(QUEUE, atMs * 1000)?.channel ?? null;

  it.each([
    { at: 199, who: ANNA, why: 'the last before it, though the next is nearer' },
    { at: 200, who: BERT, why: 'the one at the same time' },
    { at: 50, who: ANNA, why: 'the first after it, where nobody left before' },
    { at: 2200, who: BERT, why: 'two seconds after' },
    { at: 2201, who: null, why: 'none longer ago than two seconds' },
  ])('at $at ms: $why', ({ at, who }) => {
    expect(nextTo(at)).toBe(who);
  });

  it('is of the process that reads the queue', () => {
    expect(all.nextTo(`chat${ELSEWHERE}`, 195_000)?.channel).toBe(`${ELSEWHERE}carl`);
    expect(all.nextTo(`chat${ELSEWHERE} on b.db`, 195_000)?.channel).toBe(`${ELSEWHERE}carl`);
    expect(all.nextTo('chatgeneral', 195_000)).toBeNull();
  });
});
