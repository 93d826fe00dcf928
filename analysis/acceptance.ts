/**
 * What Redis answered to an attempt to enqueue. The script of group_send serves its queues one after the other and says how many were
 * full, not which; and where it fails on its way, what it did before stays done.
 */
import type { Reply } from '../proxy/trace/trace.js';
import type { Step } from './profiles/channel-layer.js';

/**
 * `unsure`: some of the script's queues were full, it does not say which. `broken-off`: the
 * script failed on its way through several queues, and may have served this one before.
 */
export type Acceptance = 'accepted' | 'full' | 'unsure' | 'refused' | 'broken-off' | 'unanswered';

/** Errors that Redis gives before a command, or a script's first write, has done anything. */
const REFUSED_AS_A_WHOLE =
  /^(OOM|READONLY|LOADING|NOPERM|NOAUTH|NOSCRIPT|MISCONF|NOREPLICAS|BUSY|MASTERDOWN|CLUSTERDOWN|MOVED|ASK|CROSSSLOT|TRYAGAIN)\b/;

function refusedWhole(error: string, { by, deliveries }: Extract<Step, { step: 'enqueue' }>): boolean {
  if (by === 'send' || REFUSED_AS_A_WHOLE.test(error)) return true;
  // The script counts a queue before it adds to it: of one queue alone a wrong type stops it before.
  return deliveries.length === 1 && error.includes('WRONGTYPE');
}

export function acceptanceOf(reply: Reply | null, step: Extract<Step, { step: 'enqueue' }>): Acceptance {
  if (reply === null) return 'unanswered';
  if (reply.kind === 'error') return refusedWhole(reply.text, step) ? 'refused' : 'broken-off';
  if (step.by === 'send') return 'accepted';
  const full = reply.kind === 'integer' ? Number(reply.value) : 0;
  if (full === 0) return 'accepted';
  return full >= step.deliveries.length ? 'full' : 'unsure';
}
