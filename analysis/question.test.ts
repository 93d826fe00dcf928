import { expect, it } from 'vitest';
import { Evidence } from './evidence.js';
import { Judge } from './judge.js';
import { type Absence, absenceOf, MessageIndex } from './question.js';
import { healthy, message } from './testing/verdict-of.js';

// Found by `make accuracy`: of a message whose sending is in a hole, the first thing seen is that it was popped, which may be much later.

function absence(of: number, hole: readonly [fromMs: number, toMs: number] | null): Absence {
  const trace = healthy();
  if (hole) trace.hole(...hole);
  trace.groupSend(560, 1, message(11));
  trace.receive(565, 2, message(11));
  trace.receive(600, 2, message(5)); // sent before
  const evidence = new Evidence(trace);
  const asked = { room: null, reportedBy: [], reports: [], neverCame: true, noticedUs: null };
  return absenceOf(
    { sender: 's', count: of, ...asked },
    new MessageIndex(new Judge(evidence).all()),
    evidence,
  );
}

it('undecided: it may have been sent in the hole, as the message before it was', () => {
  expect(absence(8, [400, 500])).toMatchObject({ verdict: 'indeterminate' });
});

it('never sent: between the two that are seen to be sent there is no hole', () => {
  expect(absence(8, [570, 590])).toMatchObject({ verdict: 'never-sent' });
  expect(absence(8, null).because).toContain('count 2 was sent at +0.300000s and 11 at +0.560000s');
});
