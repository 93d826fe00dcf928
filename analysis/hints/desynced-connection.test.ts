import { expect, it } from 'vitest';
import { memberOf, PROCESS, ScriptedTrace } from '../testing/scripted-trace.js';
import { hintsIn } from './testing/hints-in.js';

const hints = (trace: ScriptedTrace) => hintsIn(trace, 'desynced-connection');

const GUEST = `${PROCESS}guest`;

/**
 * Connection 3 works in step; then a request is sent on it while a pop's reply is owed. Its message is backed up elsewhere, so
 * nothing is lost by it.
 */
function owed(trace: ScriptedTrace): ScriptedTrace {
  trace.groupSend(100, 1, memberOf('s', 0));
  trace.receive(110, 3, memberOf('s', 0));
  return popOwed(trace);
}

function popOwed(trace: ScriptedTrace): ScriptedTrace {
  const message = memberOf('s', 1);
  trace.poll(1000, 3, message, { tookMs: 5000 });
  trace.leave(3000, 3, GUEST);
  trace.groupSend(5990, 1, message);
  trace.backup(6003, 4, message);
  trace.acknowledge(6006, 4, message);
  return trace;
}

it('a request sent while the reply to a pop is owed, though nothing was lost', () => {
  const trace = owed(new ScriptedTrace());
  expect(hints(trace)).toMatchObject([
    {
      operations: [
        { role: 'reply-owed', command: 'BZPOPMIN' },
        { role: 'sent-too-early', command: 'ZREM' },
      ],
    },
  ]);
  expect(hints(trace)[0]?.seen).toContain('to its end');
  expect(hints(trace)[0]?.seen).toContain('No pop lost its message there');
});

it('says how many pops lost their messages in it', () => {
  const trace = new ScriptedTrace();
  for (const count of [0, 1, 2]) {
    trace.groupSend(count * 100 + 1, 1, memberOf('s', count));
    trace.receive(count * 100 + 10, 3, memberOf('s', count));
  }
  trace.groupSend(990, 1, memberOf('s', 3));
  trace.poll(1000, 3, memberOf('s', 3), { flushMs: 5 });
  trace.restore(1003, 3);
  trace.groupSend(1010, 1, memberOf('s', 4));
  trace.receive(1020, 2, memberOf('s', 4));
  expect(hints(trace)).toMatchObject([{ seen: expect.stringContaining('1 pop lost its message there') }]);
});

it('innocent: each request after the reply to the one before it', () => {
  const trace = new ScriptedTrace();
  trace.groupSend(100, 1, memberOf('s', 0));
  trace.receive(110, 3, memberOf('s', 0));
  trace.poll(1000, 3, null, { tookMs: 1000 });
  trace.leave(3000, 3, GUEST);
  expect(hints(trace)).toEqual([]);
});

it('innocent: a client that multiplexes overlaps requests and stays in step', () => {
  const trace = owed(new ScriptedTrace());
  trace.groupSend(7000, 1, memberOf('s', 2));
  trace.receive(7010, 3, memberOf('s', 2));
  expect(hints(trace)).toEqual([]);
});

it('innocent: a connection never seen in step may be one that multiplexes', () => {
  expect(hints(popOwed(new ScriptedTrace()))).toEqual([]);
});
