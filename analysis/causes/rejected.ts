/**
 * Redis refused the command that should have put the message into its queue, or published it: out of memory (OOM), a replica (READONLY), a
 * Redis that still loads, a missing permission (NOPERM), a key of another type (WRONGTYPE), a script it does not know (NOSCRIPT).
 *
 * On the wire: an error reply to ZADD or EVAL. NOSCRIPT alone is no loss: clients send the same member again by EVAL, and an attempt that was
 * accepted ends elsewhere. With several hosts each has its own EVAL, so others may have taken their part; and where a script broke off
 * on its way through its queues, those before the one that stopped it have got theirs.
 */
import { type EndAtEnqueue, holeText } from '../ending.js';
import { shownGone } from '../shown-gone.js';
import { type Case, type Cause, cite, type Examination } from './cause.js';

/** Clients wait some seconds at most before they try again. */
const TRIED_AGAIN_WITHIN_US = 10_000_000;

function examine({ end, journey, queue, evidence }: Case<EndAtEnqueue>): Examination {
  const { enqueues } = journey;
  const errors = [...new Set(enqueues.flatMap(({ error }) => error ?? []))].join('; ');
  if (end.enqueue.error === null) return { holds: false, because: 'Redis did not refuse it' };
  const cites = enqueues.map((enqueue) => cite('enqueue', enqueue));
  if (enqueues.every(({ acceptance }) => acceptance === 'refused')) {
    // NOSCRIPT is followed by the script itself, READONLY by another try: of the same member.
    const fromUs = end.enqueue.requestedUs;
    const [hole] = evidence.holesHiding(queue.name, { fromUs, toUs: fromUs + TRIED_AGAIN_WITHIN_US });
    if (hole)
      return {
        holds: null,
        because: `Redis refused it: ${errors}; but it may have been sent again: ${holeText(hole)}`,
      };
    return { holds: true, because: `Redis refused it: ${errors}`, cites };
  }
  if (!enqueues.every(({ error }) => error !== null))
    return {
      holds: null,
      because: `Redis refused the last attempt (${errors}), but an earlier one may have been done`,
    };
  const brokeOff = `the script failed on its way through its queues (${errors})`;
  const afterwards = { fromUs: end.enqueue.requestedUs, toUs: evidence.endUs };
  const gone = shownGone(journey, end.enqueue.repliedUs ?? end.enqueue.requestedUs, queue);
  if (gone && !evidence.isHidden(queue.name, afterwards))
    return {
      holds: true,
      because: `${brokeOff}, before it had served this one: ${gone.why}`,
      cites: [...cites, cite('shown-gone', gone.mark)],
    };
  return {
    holds: null,
    because: `${brokeOff}, perhaps after it had served this one`,
    otherwise: ['in-flight'],
  };
}

export const rejected: Cause<EndAtEnqueue> = {
  id: 'rejected',
  verdict: 'rejected',
  meaning:
    'Redis refused the command that should have put it into its queue, or published it. Other processes, whose queues are on another Redis host or in another command, may have got the message.',
  refutedBy: 'a later pop of it; the same member sent again and accepted.',
  advice:
    'See the error. OOM: give Redis more memory, or find what fills it. READONLY: the layer speaks to a replica. NOPERM: the ACL of its user. WRONGTYPE: another application uses this key; give the layer its own `prefix`. NOSCRIPT: the client must send the script itself (EVAL) after it.',
  examine,
};
