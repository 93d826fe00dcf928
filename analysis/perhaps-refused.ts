/** A message that no operation carries may be one of those that a full queue, or a refusal, kept off the wire, where its sender uses `send`. */
import { neverSent } from './causes/never-sent.js';
import type { Evidence } from './evidence.js';
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
  const refused = unsent.filter(({ atUs }) => atUs >= span.fromUs && atUs <= span.toUs);
  const [first] = refused;
  const others = index.counts(asked.sender).flatMap((count) => index.find(asked.sender, count));
  if (!first || !others.some(({ waypoints }) => waypoints[0]?.mark.command === 'ZADD')) return absence;
  const causes = refused.flatMap(({ cause, alternatives }) => cause ?? alternatives);
  const which = refused.length === 1 ? 'that may have been' : `one of ${refused.length} such may have been`;
  return undecidedAbsence(`${absence.because}; but ${first.because}: ${which} message ${asked.count}`, [
    ...new Set([...causes, neverSent.id]),
  ]);
}
