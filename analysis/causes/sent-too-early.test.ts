import { expect, it } from 'vitest';
import type { ScriptedTrace } from '../testing/scripted-trace.js';
import { healthy, message, verdictOf } from '../testing/verdict-of.js';

// Found by `make accuracy`: a request that was on its way while the pop's reply came looks like a stray pop at first.

/** Connection 2 takes a message, and sends two requests after the reply was handed to it. The queue goes on on connection 3. */
function popThenTwo(secondMs: number, pipelined = false): ScriptedTrace {
  const trace = healthy();
  trace.groupSend(1000, 1, message(10));
  trace.poll(1010, 2, message(10));
  trace.restore(1012, 2, { tookMs: 2 });
  trace.poll(secondMs, 2, null, { tookMs: 5, pipelined });
  trace.groupSend(1100, 1, message(11));
  trace.receive(1110, 3, message(11));
  return trace;
}

it.each([false, true])(
  'undecided: the second came before the reply to the first (pipelined: %s)',
  (pipelined) => {
    expect(verdictOf(popThenTwo(1013, pipelined), 10)).toMatchObject({
      verdict: 'indeterminate',
      alternatives: ['reply-desync', 'stray-pop'],
    });
  },
);

it('undecided: the second waited for the reply to the first, which a slow client may seem to do', () => {
  expect(verdictOf(popThenTwo(1015), 10)).toMatchObject({
    verdict: 'indeterminate',
    alternatives: ['reply-desync', 'stray-pop'],
  });
});

it('stray-pop: three in a row waited for the reply to the one before, so the client is in step', () => {
  const trace = popThenTwo(1015);
  trace.restore(1021, 2);
  expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'indeterminate' });
  trace.poll(1025, 2, null, { tookMs: 5 });
  expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'lost', cause: 'stray-pop' });
});

it('undecided: the third did not wait', () => {
  const trace = popThenTwo(1015);
  trace.restore(1018, 2);
  expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'indeterminate' });
});
