import { describe, expect, it } from 'vitest';
import { GaptraceError } from '../terminal/errors.js';
import { analyze } from './analyze.js';
import { analyzeGap, audit } from './ask.js';
import { Evidence } from './evidence.js';
import { EVERYTHING, scopeOf, within } from './scope.js';
import { PubSubScript, published } from './testing/scripted-pubsub.js';
import { memberOf, ScriptedTrace } from './testing/scripted-trace.js';

// Two applications on one Redis: 'chat' and 'chat2', whose names begin alike, each with a process that loses a message; and 'asgi' on pub/sub.

const [ONE, TWO] = [`specific.${'1'.repeat(32)}!`, `specific.${'2'.repeat(32)}!`];

/** A process of an application, on three connections of its own: a message in good health, and one that its guest's departure loses. */
function application(trace: ScriptedTrace, prefix: string, process: string, first: number): void {
  const own = trace.on(`${prefix}${process}`);
  const [anna, guest] = [`${process}anna`, `${process}guest`];
  const room = `${prefix}:group:room`;
  own.join(1, first, anna, room);
  own.join(2, first, guest, room);
  own.groupSend(100, first, memberOf(prefix, 0, [anna]));
  own.receive(110, first + 1, memberOf(prefix, 0, [anna]));
  own.leave(980, first, guest, room);
  own.groupSend(995, first, memberOf(prefix, 1, [anna]));
  own.poll(1000, first + 2, memberOf(prefix, 1, [anna]));
  own.disconnect(1005, first + 2);
  own.restore(1010, first + 1);
  own.poll(1012, first + 1, null);
}

function shared(): ScriptedTrace {
  const trace = new ScriptedTrace();
  application(trace, 'chat', ONE, 10);
  application(trace, 'chat2', TWO, 20);
  new PubSubScript(trace).publish(500, published('asgi', 0), 0);
  return trace;
}

describe('a prefix', () => {
  const losses = (...prefixes: string[]) =>
    analyze(shared(), { ask: 'losses' }, undefined, prefixes)
      .findings.map(({ sender }) => sender)
      .sort();

  it('only its queues are judged, also where another one begins alike', () => {
    expect(losses('chat')).toEqual(['chat']);
    expect(losses('chat2')).toEqual(['chat2']);
    expect(losses('chat2', 'chat')).toEqual(['chat', 'chat2']);
    expect(losses()).toEqual(['chat', 'chat2']);
  });

  it('and only its pub/sub channels', () => {
    expect(analyze(shared(), { ask: 'losses' }, undefined, ['asgi']).summary).toMatchObject({ lost: 0 });
    expect(audit(shared(), { prefix: 'asgi' }).fates).toMatchObject([{ sender: 'asgi', count: 0 }]);
    expect(audit(shared(), { prefix: ['chat'] }).fates.map(({ sender }) => sender)).toEqual(['chat', 'chat']);
  });

  it("its groups' comings and goings alone are counted", () => {
    expect(audit(shared(), { prefix: 'chat' }).per_minute).toMatchObject([
      { disconnects: 1, closed_with_pop_just_answered: 1, losses: 1 },
    ]);
    expect(audit(shared()).per_minute).toMatchObject([{ disconnects: 2, losses: 2 }]);
  });

  it('a general channel is of the longest prefix that it begins with', () => {
    const trace = shared();
    for (const queue of ['chatwork', 'chat2work']) trace.on(queue).receive(2000, 30, memberOf(queue, 0, []));
    const queues = (prefix: string) =>
      audit(trace, { prefix }).totals.by_queue.map(({ queue }) => queue.replace(/specific.*/, '…'));
    expect(queues('chat')).toEqual(['chat…', 'chatwork']);
    expect(queues('chat2')).toEqual(['chat2…', 'chat2work']);
  });

  it('may be empty', () => {
    const trace = shared();
    application(trace, '', `specific.${'3'.repeat(32)}!`, 40);
    expect(audit(trace, { prefix: '' }).totals).toMatchObject({ total: 2, verdicts: { lost: 1 } });
  });

  it('of channels_redis 2, too', () => {
    const trace = shared();
    trace.request(1, 50, ['BLPOP', 'oldspecific.AbCdEfGh!', '5'], null);
    expect(within(scopeOf(trace, ['old']), new Evidence(trace).journeys).queues.size).toBe(1);
  });
});

describe('an unknown prefix', () => {
  it('is refused, and those that there are are named', async () => {
    const known =
      /^scripted\.db has no queue, group or channel of the prefix 'caht': its prefixes are 'asgi', 'chat', 'chat2'$/;
    for (const ask of [
      async () => audit(shared(), { prefix: 'caht' }),
      () => analyzeGap(shared(), undefined, { prefix: ['chat', 'caht'] }),
    ]) {
      const error = await ask().catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(GaptraceError);
      expect(error).toMatchObject({ code: 'GAPTRACE_PREFIX', message: expect.stringMatching(known) });
    }
  });

  it('the beginning of another is none', () => {
    expect(() => scopeOf(shared(), ['cha'])).toThrow(/prefix 'cha'/);
  });

  it('in a trace of nothing: that is said', () => {
    expect(() => scopeOf(new ScriptedTrace(), ['chat'])).toThrow(/nothing in it is of a channel layer/);
  });

  it('may still come, while the trace is being written', () => {
    const log = { gaps: [], received: [], sent: [], spokeAs: new Map() };
    const question = { ask: 'gaps', log, following: true } as const;
    expect(analyze(shared(), question, undefined, ['later']).findings).toEqual([]);
  });
});

it('without a prefix everything is judged, and the facts are the same ones', () => {
  const { journeys } = new Evidence(shared());
  expect(scopeOf(shared(), [])).toBe(EVERYTHING);
  expect(within(EVERYTHING, journeys)).toBe(journeys);
});
