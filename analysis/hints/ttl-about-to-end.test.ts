import { expect, it } from 'vitest';
import { integer, memberOf, PROCESS, QUEUE, ScriptedTrace } from '../testing/scripted-trace.js';
import { hintsIn } from './testing/hints-in.js';

const hints = (trace: ScriptedTrace) => hintsIn(trace, 'ttl-about-to-end');

/** A message that expires after 60 s is sent at 1 s and received at `receivedMs`. */
function waited(receivedMs: number): ScriptedTrace {
  const trace = new ScriptedTrace();
  trace.join(1, 1, `${PROCESS}a`);
  trace.poll(500, 2, null);
  trace.groupSend(1000, 1, memberOf('s', 0));
  trace.receive(receivedMs, 2, memberOf('s', 0));
  trace.watermarkUs = 90_000_000;
  return trace;
}

it('a message waits for more than half of its expiry', () => {
  expect(hints(waited(40_000))).toMatchObject([
    {
      seen: expect.stringContaining('the oldest for 39.0 s of the 60 s after which it expires'),
      operations: [{ role: 'last-receive' }, { role: 'enqueue' }, { role: 'next-receive' }],
    },
  ]);
});

it('put there by send, which sets the time to live with an EXPIRE of its own', () => {
  const trace = new ScriptedTrace();
  trace.join(1, 1, `${PROCESS}a`);
  trace.poll(500, 2, null);
  trace.request(1000, 1, ['ZADD', QUEUE, '1', memberOf('s', 0)], integer(1));
  trace.request(1002, 1, ['EXPIRE', QUEUE, '40'], integer(1));
  trace.receive(26_000, 2, memberOf('s', 0));
  expect(hints(trace)).toMatchObject([{ seen: expect.stringContaining('of the 40 s') }]);
});

it('innocent: received before half of it', () => {
  expect(hints(waited(30_000))).toEqual([]);
});

it('innocent: nothing waits in a queue that nobody polls', () => {
  const trace = new ScriptedTrace();
  trace.poll(500, 2, null);
  trace.watermarkUs = 90_000_000;
  expect(hints(trace)).toEqual([]);
});
