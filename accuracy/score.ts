/**
 * Truth against answer, for one message and one recipient. `wrong` is a wrong accusation or a wrong cause, and the worst there is; `silent` is a
 * loss that the analysis takes for none; `undecided` says that the evidence does not decide.
 */
import { isLoss } from '../analysis/verdict.js';
import type { Answer } from './answer.js';
import type { Fate } from './truth.js';

/** Where a hole hides the root, the nearest cause is right. */
const NEAREST: Readonly<Record<string, readonly string[]>> = {
  'receiver-stalled': ['over-capacity', 'queue-expired', 'message-expired'],
};

export type Score = 'right' | 'undecided' | 'silent' | 'wrong';

export interface Circumstances {
  /** The trace has no hole. In one that has, `delivered` is no fault where the hole hides that it came late, or twice. */
  readonly whole: boolean;
  /** Causes that no evidence can decide: the right answer is `indeterminate` that lists them. */
  readonly neverCertain: readonly string[];
}

export function scoreOf(fate: Fate, answer: Answer, { whole, neverCertain }: Circumstances): Score {
  const { verdict, alternatives, concerns, atUs } = answer;
  const causes = whole ? fate.causes : fate.causes.flatMap((cause) => [cause, ...(NEAREST[cause] ?? [])]);
  const itsCause = answer.cause !== null && causes.includes(answer.cause);
  switch (fate.fate) {
    case 'processed':
      return scoreOfProcessed(fate, answer, whole);
    case 'lost':
      if (verdict === 'indeterminate')
        return fate.causes.some((cause) => neverCertain.includes(cause) && alternatives.includes(cause))
          ? 'right'
          : 'undecided';
      if (!isLoss(verdict) || !concerns) return 'silent';
      return itsCause ? 'right' : 'wrong';
    case 'left':
      if (verdict === 'indeterminate') return 'undecided';
      if (!isLoss(verdict) || !concerns) return 'right';
      // It was there until then: it lost the message first, and left.
      return itsCause && (atUs === null || atUs < fate.leftUs) ? 'right' : 'wrong';
    case 'unfinished':
      if (verdict === 'indeterminate') return 'undecided';
      return !isLoss(verdict) || itsCause ? 'right' : 'wrong';
  }
}

function scoreOfProcessed(
  fate: Extract<Fate, { fate: 'processed' }>,
  { verdict, cause }: Answer,
  whole: boolean,
): Score {
  if (isLoss(verdict)) return 'wrong';
  if (verdict === 'indeterminate' || verdict === 'in-flight') return 'undecided';
  if (verdict === 'recipients-left') return fate.left ? 'right' : 'wrong';
  if (cause !== null && fate.causes.includes(cause)) return 'right';
  if (fate.times > 1) return verdict === 'duplicated' || !whole ? 'right' : 'silent';
  if (fate.causes.length > 0) return whole ? 'silent' : 'right';
  return verdict === 'duplicated' ? 'wrong' : 'right';
}

/** The row of the confusion matrix. */
export function rowOf(fate: Fate): string {
  switch (fate.fate) {
    case 'processed':
      if (fate.causes.length > 0) return fate.causes.join(' or ');
      return fate.times > 1 ? 'processed twice' : 'processed';
    case 'lost':
      return fate.causes.length > 0 ? fate.causes.join(' or ') : 'lost, and the scenario does not know why';
    case 'left':
      return 'had left';
    case 'unfinished':
      return 'the trace ended first';
  }
}

/** The column: the cause where one is named, else the verdict. */
export function columnOf({ verdict, cause }: Answer): string {
  return cause ?? verdict;
}
