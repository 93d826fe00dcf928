import { expect, it } from 'vitest';
import { QUEUE } from './testing/scripted-trace.js';
import { healthy, message, verdictOf } from './testing/verdict-of.js';

// Found by `make accuracy`: Redis refused the backup (NOPERM, OOM), the receiver handed the message on, and the analysis took it for backed up,
// put back and removed by somebody.

it('undecided: popped, and Redis refused the backup', () => {
  const trace = healthy();
  trace.groupSend(1000, 1, message(10));
  trace.poll(1010, 2, message(10));
  trace.request(1013, 2, ['ZADD', `${QUEUE}$inflight`, '1.5', message(10)], {
    kind: 'error',
    text: 'NOPERM this user has no permissions',
  });
  trace.disconnect(1015, 2);
  trace.groupSend(1020, 1, message(11));
  trace.receive(1030, 3, message(11));
  const said = verdictOf(trace, 10);
  expect(said).toMatchObject({ verdict: 'indeterminate', alternatives: ['lost', 'delivered'] });
  expect(said.because).toContain('Redis refused its backup');
});

it('a backup that Redis took after all counts', () => {
  const trace = healthy();
  trace.groupSend(1000, 1, message(10));
  trace.poll(1010, 2, message(10));
  trace.request(1013, 2, ['ZADD', `${QUEUE}$inflight`, '1.5', message(10)], {
    kind: 'error',
    text: 'OOM command not allowed',
  });
  trace.backup(1016, 2, message(10));
  trace.acknowledge(1019, 2, message(10));
  expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'delivered' });
});
