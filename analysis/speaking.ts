/** Of the verdicts on one message in several queues: which of them are told. */
import type { Judgement } from './judgement.js';
import { isLoss, worst } from './verdict.js';

/** Those that lost it; where none did, or it reached all and was missed after that, the one that says the most. */
export function speaking<Judged extends Judgement>(
  judged: readonly Judged[],
  reached: boolean,
): readonly Judged[] {
  const lost = judged.filter(({ verdict }) => isLoss(verdict));
  return lost.length > 0 && !reached ? lost : [speaker(judged)];
}

/** The one that says the most. */
export function speaker<Judged extends Judgement>(judged: readonly Judged[]): Judged {
  const most = worst(judged.map(({ verdict }) => verdict));
  return judged.find(({ verdict }) => verdict === most) as Judged;
}
