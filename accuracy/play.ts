/** One run: a scenario played with a seed, its trace analysed whole and with a hole cut into it, and held against the truth. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isLoss } from '../analysis/verdict.js';
import { randomStream } from '../clients/random.js';
import type { PrivateRedis } from '../demo/redis.js';
import { moveAside } from '../proxy/trace/move-aside.js';
import { openTrace } from '../proxy/trace/open.js';
import { type Answered, type Answers, answersOf } from './answers.js';
import { check } from './checker.js';
import { cutHole } from './holes.js';
import type { Scenario } from './scenarios/scenario.js';
import { type Score, scoreOf } from './score.js';
import { Stage } from './stage.js';
import { spokeAsOf, type TruthEvent, truthsOf } from './truth.js';

export interface Scored extends Answered {
  readonly score: Score;
}

export interface Run {
  readonly scenario: string;
  readonly seed: number;
  readonly whole: readonly Scored[];
  readonly cut: readonly Scored[];
  /** Where the hole was cut. */
  readonly hole: string;
  /** Where the independent checker and the analysis differ. */
  readonly disagreements: readonly string[];
}

/** `directory`: for the traces, which are removed unless `keep`. */
export async function playRun(
  scenario: Scenario,
  seed: number,
  redis: PrivateRedis,
  { directory, keep }: { readonly directory: string; readonly keep: boolean },
): Promise<Run> {
  const trace = join(directory, `${scenario.name}-${seed}.db`);
  const copy = join(directory, `${scenario.name}-${seed}-cut.db`);
  for (const file of [trace, copy]) if (existsSync(file)) moveAside(file);
  const stage = await Stage.open({ seed, redis, trace, latencyUs: scenario.latencyUs ?? 0 });
  try {
    await scenario.play(stage);
  } finally {
    await stage.close();
  }
  const { events } = stage.truth;
  const whole = analysed(trace, events, scenario);
  const hole = cutHole(trace, copy, randomStream(seed, 'hole'));
  const cut = analysed(copy, events, scenario);
  const { neverCertain = [] } = scenario;
  const scored = ({ answered }: Answers, isWhole: boolean) =>
    answered.map((one) => ({
      ...one,
      score: scoreOf(one.fate, one.answer, { whole: isWhole, neverCertain }),
    }));
  const run: Run = {
    ...{ scenario: scenario.name, seed, hole },
    whole: scored(whole, true),
    cut: scored(cut, false),
    disagreements: disagreementsOf(whole, events),
  };
  if (keep) {
    keepLines(`${trace}.truth.ndjson`, events);
    keepLines(`${trace}.scored.ndjson`, run.whole);
    keepLines(`${copy}.scored.ndjson`, run.cut);
  } else for (const file of [trace, copy]) rmSync(file);
  return run;
}

function keepLines(path: string, values: readonly unknown[]): void {
  writeFileSync(path, values.map((value) => `${JSON.stringify(value)}\n`).join(''));
}

function analysed(path: string, events: readonly TruthEvent[], { losesBy }: Scenario): Answers {
  const trace = openTrace(path);
  try {
    return answersOf(trace, truthsOf(events, losesBy ?? []), spokeAsOf(events));
  } finally {
    trace.close();
  }
}

/** Where the sets lost, duplicated and unexpected of the checker and of the analysis differ; what the analysis leaves open is no difference. */
function disagreementsOf({ answered, unexpected }: Answers, events: readonly TruthEvent[]): string[] {
  const checked = check(events);
  const differing = answered.flatMap(({ message, channel, answer }) => {
    const key = `${message} for ${channel}`;
    const { verdict } = answer;
    if (verdict === 'indeterminate' || !checked.settled.has(key)) return [];
    return [
      ...differs(`${key}: lost?`, isLoss(verdict) && answer.concerns, checked.lost.has(key)),
      ...differs(`${key}: duplicated?`, verdict === 'duplicated', checked.duplicated.has(key)),
    ];
  });
  const expected = new Set([...checked.unexpected].map((key) => key.slice(0, key.indexOf(' for '))));
  const either = [...new Set([...unexpected, ...expected])];
  return [
    ...differing,
    ...either.flatMap((one) => differs(`${one}: unexpected?`, unexpected.has(one), expected.has(one))),
  ];
}

function differs(what: string, analysis: boolean, checker: boolean): string[] {
  return analysis === checker ? [] : [`${what} analysis ${analysis}, checker ${checker}`];
}
