/** The confusion matrix of many runs, the figures that have a bar, and both as Markdown. */
import type { Run, Scored } from './play.js';
import { columnOf, rowOf, type Score } from './score.js';

/** Losses that must be given their right cause, of those whose evidence is whole. */
export const RIGHT_SHARE = 0.99;

export class Confusion {
  readonly #cells = new Map<string, Map<string, number>>();
  readonly #rows = new Map<string, Record<Score, number>>();
  readonly #whole = zero();
  readonly #cut = zero();
  readonly #losses = zero();
  readonly #cutLosses = zero();
  #runs = 0;
  #disagreements = 0;

  add({ whole, cut, disagreements }: Run): void {
    this.#runs += 1;
    this.#disagreements += disagreements.length;
    for (const one of whole) {
      const row = this.#cells.get(rowOf(one.fate)) ?? new Map<string, number>();
      const column = columnOf(one.answer);
      this.#cells.set(rowOf(one.fate), row.set(column, (row.get(column) ?? 0) + 1));
      const scores = this.#rows.get(rowOf(one.fate)) ?? zero();
      scores[one.score] += 1;
      this.#rows.set(rowOf(one.fate), scores);
      this.#whole[one.score] += 1;
      if (one.fate.fate === 'lost') this.#losses[one.score] += 1;
    }
    for (const one of cut) {
      this.#cut[one.score] += 1;
      if (one.fate.fate === 'lost') this.#cutLosses[one.score] += 1;
    }
  }

  /** Share of the losses in whole traces that got their right cause; 1 where nothing was lost. */
  get rightShare(): number {
    const { right, undecided, silent, wrong } = this.#losses;
    const all = right + undecided + silent + wrong;
    return all === 0 ? 1 : right / all;
  }

  /** Each bar that is missed, in words. */
  missedBars(): string[] {
    const wrong = this.#whole.wrong + this.#cut.wrong;
    const silent = this.#whole.silent + this.#cut.silent;
    return [
      ...(wrong > 0 ? [`wrong accusations: ${wrong}, must be 0`] : []),
      ...(silent > 0 ? [`silent misses: ${silent}, must be 0`] : []),
      ...(this.rightShare < RIGHT_SHARE
        ? [
            `losses with the right cause: ${percent(this.rightShare)}, must be at least ${percent(RIGHT_SHARE)}`,
          ]
        : []),
      ...(this.#disagreements > 0
        ? [`the checker and the analysis differ ${this.#disagreements} times, must be 0`]
        : []),
    ];
  }

  /** Rows: what really happened. Columns: what the analysis says. */
  matrix(): string {
    const rows = [...this.#cells.keys()].sort();
    const columns = [...new Set([...this.#cells.values()].flatMap((row) => [...row.keys()]))].sort();
    return [
      `| really | ${columns.join(' | ')} |`,
      `|---|${columns.map(() => '--:|').join('')}`,
      ...rows.map((row) => {
        const cells = columns.map((column) => this.#cells.get(row)?.get(column) ?? '');
        return `| ${row} | ${cells.join(' | ')} |`;
      }),
    ].join('\n');
  }

  /** The matrix in short: how each row was judged, in whole traces. For the README. */
  rows(): string {
    return [
      '| what really happened | messages | judged right | indeterminate | judged wrong |',
      '|---|--:|--:|--:|--:|',
      ...[...this.#rows].sort().map(([row, scores]) => {
        const { right, undecided, silent, wrong } = scores;
        return `| ${row} | ${sum(scores)} | ${right} | ${undecided} | ${silent + wrong} |`;
      }),
    ].join('\n');
  }

  figures(): string {
    const [whole, cut, losses, cutLosses] = [this.#whole, this.#cut, this.#losses, this.#cutLosses];
    return [
      '| | whole traces | with a hole cut in |',
      '|---|--:|--:|',
      `| messages, each for one recipient | ${sum(whole)} | ${sum(cut)} |`,
      `| wrong accusations | ${whole.wrong} | ${cut.wrong} |`,
      `| silent misses | ${whole.silent} | ${cut.silent} |`,
      `| losses | ${sum(losses)} | ${sum(cutLosses)} |`,
      `| of these with the right cause | ${losses.right} (${percent(this.rightShare)}) | ${cutLosses.right} |`,
      `| of these indeterminate | ${losses.undecided} | ${cutLosses.undecided} |`,
      `| other messages indeterminate | ${whole.undecided - losses.undecided} | ${cut.undecided - cutLosses.undecided} |`,
      `| runs | ${this.#runs} | ${this.#runs} |`,
    ].join('\n');
  }
}

/** What somebody has to look at, in a line each. */
export function faultsOf(run: Run): string[] {
  const faulty = (scored: readonly Scored[], where: string) =>
    scored
      .filter(({ score }) => score === 'wrong' || score === 'silent')
      .map(
        ({ message, channel, fate, answer, score }) =>
          `${score}${where}: ${message} for ${channel} was ${rowOf(fate)}, and is called ${answer.verdict}` +
          `${answer.cause === null ? '' : `: ${answer.cause}`} (${answer.because})`,
      );
  return [
    ...faulty(run.whole, ''),
    ...faulty(run.cut, ` with a hole (${run.hole})`),
    ...run.disagreements.map((one) => `the checker differs: ${one}`),
  ];
}

function zero(): Record<Score, number> {
  return { right: 0, undecided: 0, silent: 0, wrong: 0 };
}

function sum(scores: Readonly<Record<Score, number>>): number {
  return Object.values(scores).reduce((total, one) => total + one, 0);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
