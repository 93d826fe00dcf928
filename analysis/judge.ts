/**
 * From fates to verdicts: every journey is given one, and every lost pop is put before the causes. A cause is named
 * only when it alone holds; where the evidence allows two, the verdict is `indeterminate` and both are listed.
 */
import type { Case, CauseId, Citation } from './causes/cause.js';
import { CAUSES } from './causes/index.js';
import type { Evidence } from './evidence.js';
import { type Fate, fateOf, type Loss } from './fate.js';
import type { Journey } from './journey.js';
import { episodeOf } from './out-of-step.js';

export type Verdict =
  | 'delivered'
  | 'lost'
  | 'redelivered-late'
  | 'rejected'
  | 'recipients-left'
  | 'in-flight'
  | 'never-sent'
  | 'indeterminate';

export interface Judgement {
  readonly journey: Journey;
  readonly fate: Fate;
  readonly verdict: Verdict;
  readonly cause: CauseId | 'redelivered-late' | 'over-capacity' | 'rejected' | null;
  /** Completes a sentence: why this verdict, with operations and connections by number. */
  readonly because: string;
  /** Operations that the cause rests on. */
  readonly cites: readonly Citation[];
  /** What else the evidence allows. */
  readonly alternatives: readonly string[];
}

/** The verdict on every message in every queue of the layer, in the order of first appearance. */
export function judgeAll(evidence: Evidence): Judgement[] {
  const fates = evidence.journeys.journeys.map((journey) => ({ journey, fate: fateOf(journey, evidence) }));
  const lostPops = new Set(fates.flatMap(({ fate }) => (fate.fate === 'lost' ? [fate.pop.id] : [])));
  return fates.map(({ journey, fate }) => ({ journey, fate, ...sentence(fate, evidence, lostPops) }));
}

type Sentence = Omit<Judgement, 'journey' | 'fate'>;

function sentence(fate: Fate, evidence: Evidence, lostPops: ReadonlySet<number>): Sentence {
  switch (fate.fate) {
    case 'lost':
      return causeOfLoss(fate, evidence, lostPops);
    case 'rejected':
      return {
        verdict: 'rejected',
        cause: fate.cause,
        because: fate.enqueue.error
          ? `Redis refused it: ${fate.enqueue.error}`
          : `the script found every queue of this send full, so this one: operation ${fate.enqueue.id}`,
        cites: [],
        alternatives: [],
      };
    case 'indeterminate':
      return {
        verdict: 'indeterminate',
        cause: null,
        because: fate.why,
        cites: [],
        alternatives: fate.alternatives,
      };
    case 'redelivered-late':
      return {
        ...plain(
          fate.fate,
          `it was popped ${fate.pops.length} times, and backed up and acknowledged after the last`,
        ),
        cause: 'redelivered-late',
      };
    case 'delivered':
      return plain(fate.fate, 'it was popped, backed up and acknowledged');
    case 'recipients-left':
    case 'in-flight':
      return plain(fate.fate, fate.why);
  }
}

function plain(verdict: Verdict, because: string): Sentence {
  return { verdict, cause: null, because, cites: [], alternatives: [] };
}

function causeOfLoss(loss: Loss, evidence: Evidence, lostPops: ReadonlySet<number>): Sentence {
  const example = caseOf(loss, evidence, lostPops);
  const examined = CAUSES.map((cause) => ({ cause, found: cause.examine(example) }));
  const holding = examined.flatMap(({ cause, found }) => (found.holds === true ? [{ cause, found }] : []));
  const possible = examined.flatMap(({ cause, found }) => (found.holds === null ? [{ cause, found }] : []));
  const [only] = holding;
  if (only && holding.length === 1 && possible.length === 0)
    return {
      verdict: 'lost',
      cause: only.cause.id,
      because: only.found.because,
      cites: only.found.cites,
      alternatives: [],
    };
  const open = [...holding, ...possible];
  return {
    verdict: 'indeterminate',
    cause: null,
    because:
      open.length > 0
        ? `it was popped and never backed up, and the evidence does not decide why: ${open.map(({ cause, found }) => `${cause.id}? ${found.because}`).join('; ')}`
        : 'it was popped and never backed up, and none of the known causes fits the evidence',
    cites: [],
    alternatives: open.map(({ cause }) => cause.id),
  };
}

function caseOf(loss: Loss, evidence: Evidence, lostPops: ReadonlySet<number>): Case {
  const { beats, episodes } = evidence.conduct(loss.pop.connection, lostPops);
  const popAt = beats.findIndex((beat) => beat.id === loss.pop.id);
  return {
    loss,
    evidence,
    after: beats
      .slice(popAt + 1)
      .filter((beat) => beat.requestedUs > (loss.pop.repliedUs ?? loss.pop.requestedUs)),
    episode: episodeOf(episodes, loss.pop.id),
  };
}
