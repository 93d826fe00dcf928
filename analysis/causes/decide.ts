/**
 * From what the causes of an end say to a verdict. A cause is named only when it alone holds; where the evidence allows two,
 * the verdict is `indeterminate` and both are listed.
 */
import type { Verdict } from '../verdict.js';
import type { Citation, Examination, Meaning } from './cause.js';

/** A verdict, and the clause that says why. */
export interface Sentence {
  readonly verdict: Verdict;
  readonly cause: string | null;
  readonly because: string;
  readonly cites: readonly Citation[];
  readonly alternatives: readonly string[];
}

/** A cause, and what it says of one message. */
export interface Examined {
  readonly cause: Meaning;
  readonly found: Examination;
}

/** A verdict that needs no cause, or has none. */
export function plain(verdict: Verdict, because: string): Sentence {
  return { verdict, cause: null, because, cites: [], alternatives: [] };
}

/** Null where no cause may hold. */
export function decide(examined: readonly Examined[]): Sentence | null {
  const holding = examined.filter(
    (one): one is Examined & { found: Extract<Examination, { holds: true }> } => one.found.holds === true,
  );
  const possible = examined.filter(({ found }) => found.holds === null);
  const [only] = holding;
  if (only && holding.length === 1 && possible.length === 0)
    return {
      verdict: only.cause.verdict,
      cause: only.cause.id,
      because: only.found.because,
      cites: only.found.cites,
      alternatives: [],
    };
  const open = [...holding, ...possible];
  if (open.length === 0) return null;
  return {
    ...plain(
      'indeterminate',
      `the evidence does not decide: ${open.map(({ cause, found }) => `${cause.id}? ${found.because}`).join('; ')}`,
    ),
    alternatives: [
      ...open.map(({ cause }) => cause.id),
      ...new Set(possible.flatMap(({ found }) => (found.holds === null ? (found.otherwise ?? []) : []))),
    ],
  };
}
