/**
 * The words for what became of a message, by the catalogue of ways to lose one (docs/loss-mechanisms.md): of a message in a queue where a layer
 * queues, of a message to a subscriber where it publishes.
 */
export const VERDICTS = [
  'lost',
  'expired',
  'rejected',
  'never-sent',
  'not-addressed',
  'indeterminate',
  'in-flight',
  'duplicated',
  'redelivered-late',
  'recipients-left',
  'delivered',
] as const;

export type Verdict = (typeof VERDICTS)[number];

/** Nobody who was there got it, and it is certain. */
const LOSSES: ReadonlySet<Verdict> = new Set(['lost', 'expired', 'rejected', 'never-sent', 'not-addressed']);
const OPEN: ReadonlySet<Verdict> = new Set(['indeterminate', 'in-flight']);

export function isLoss(verdict: Verdict): boolean {
  return LOSSES.has(verdict);
}

/** Not decided, or not yet. */
export function isOpen(verdict: Verdict): boolean {
  return OPEN.has(verdict);
}

/** The worst of several speaks for all of them; `indeterminate` where there are none. */
export function worst(verdicts: readonly Verdict[]): Verdict {
  return VERDICTS.find((verdict) => verdicts.includes(verdict)) ?? 'indeterminate';
}

/** 1: loss found; 3: nothing lost for certain, but something undecided; 0: nothing lost. */
export function exitStatusOf(findings: readonly { readonly verdict: Verdict }[]): 0 | 1 | 3 {
  const verdicts = findings.map(({ verdict }) => verdict);
  if (verdicts.some(isLoss)) return 1;
  return verdicts.some(isOpen) ? 3 : 0;
}
