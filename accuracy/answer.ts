/** What the analysis says of one message for one recipient. */
import type { Verdict } from '../analysis/verdict.js';

export interface Answer {
  readonly verdict: Verdict;
  readonly cause: string | null;
  readonly alternatives: readonly string[];
  /** Does a loss that it speaks of concern this recipient? */
  readonly concerns: boolean;
  /** When the message ended, by the trace; null where no operation carries it. */
  readonly atUs: number | null;
  readonly because: string;
}
