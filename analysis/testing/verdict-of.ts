/** What the judge says of a scripted trace, for tests: of one message by its count, or of the sends that never reached the wire. */
import type { Trace } from '../../proxy/trace/trace.js';
import { Evidence } from '../evidence.js';
import { Judge } from '../judge.js';
import type { Judgement } from '../judgement.js';
import { refusedSends } from '../refused-sends.js';
import { memberOf, PROCESS, QUEUE, ScriptedTrace } from './scripted-trace.js';

export const ANNA = `${PROCESS}anna`;

type Said = Pick<Judgement, 'verdict' | 'cause' | 'because' | 'alternatives' | 'cites'>;

/** Of the message with this count; in `queue`, where it is in several. */
export function verdictOf(trace: Trace, count: number, queue = QUEUE): Said {
  const judged = new Judge(new Evidence(trace)).all();
  const found = judged.filter((one) => one.payload.count === count && one.queue === queue);
  if (found.length !== 1) throw new Error(`${found.length} judgements on message ${count} in ${queue}`);
  return found[0] as Said;
}

export function unsentOf(trace: Trace): Judgement[] {
  return refusedSends(new Evidence(trace));
}

/** Message `count` of sender `s`, for Anna. */
export function message(count: number): Buffer {
  return memberOf('s', count, [ANNA]);
}

/** Anna is there, and her process receives in good health on connection 2: three messages, until 320 ms. */
export function healthy(trace = new ScriptedTrace()): ScriptedTrace {
  trace.join(1, 1, ANNA);
  for (const [i, at] of [100, 200, 300].entries()) {
    trace.groupSend(at, 1, message(i));
    trace.receive(at + 10, 2, message(i));
  }
  return trace;
}
