/** A message that no operation carries may be one of those that a full queue, or a refusal, kept off the wire, where its sender uses `send`. */
import { neverSent } from './causes/never-sent.js';
import type { Evidence } from './evidence.js';
import { FirstFitting } from './first-fitting.js';
import type { Judgement } from './judgement.js';
import { type Absence, type Asked, type MessageIndex, neighboursOf, undecidedAbsence } from './question.js';

/** The absence as it is, or undecided where a send was given up in the time in which this message must have been sent. */
export function perhapsRefused(
  asked: Asked,
  absence: Absence,
  index: MessageIndex,
  unsent: readonly Judgement[],
  evidence: Evidence,
): Absence {
  const { span } = neighboursOf(asked, index, evidence);
  const refused = [...byTime(unsent).all((atUs = 0, less = 0) => atUs >= span.fromUs && -less <= span.toUs)];
  const [first] = refused;
  if (!first || !usesSend(asked.sender, index)) return absence;
  const causes = refused.flatMap(({ cause, alternatives }) => cause ?? alternatives);
  const which = refused.length === 1 ? 'that may have been' : `one of ${refused.length} such may have been`;
  return undecidedAbsence(`${absence.because}; but ${first.because}: ${which} message ${asked.count}`, [
    ...new Set([...causes, neverSent.id]),
  ]);
}

const BY_TIME = new WeakMap<readonly Judgement[], FirstFitting<Judgement>>();

function byTime(unsent: readonly Judgement[]): FirstFitting<Judgement> {
  let known = BY_TIME.get(unsent);
  if (!known) {
    known = new FirstFitting(unsent, ({ atUs }) => [atUs, -atUs]);
    BY_TIME.set(unsent, known);
  }
  return known;
}

const SENDING = new WeakMap<MessageIndex, Map<string, boolean>>();

/** Did it ever send to one channel, as far as the trace shows? Looked for once, not for each of its messages. */
function usesSend(sender: string, index: MessageIndex): boolean {
  const known = SENDING.get(index) ?? new Map<string, boolean>();
  SENDING.set(index, known);
  let uses = known.get(sender);
  if (uses === undefined) {
    uses = index
      .counts(sender)
      .some((count) =>
        index.find(sender, count).some(({ waypoints }) => waypoints[0]?.mark.command === 'ZADD'),
      );
    known.set(sender, uses);
  }
  return uses;
}
