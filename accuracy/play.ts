/** One run: a scenario played with a seed, its trace analysed whole and with a hole cut into it, and held against the truth. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openTraces } from '../analysis/open-traces.js';
import { isLoss } from '../analysis/verdict.js';
import { randomStream } from '../clients/random.js';
import { type PrivateRedis, startRedis } from '../demo/redis.js';
import { moveAside } from '../proxy/trace/move-aside.js';
import { type Answered, type Answers, answersOf } from './answers.js';
import { check } from './checker.js';
import { cutHole } from './holes.js';
import { type Connections, connectionsOf } from './published.js';
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

/** `directory`: for the traces, which are removed unless `keep`. `redis`: for a scenario with one host; others start more. */
export async function playRun(
  scenario: Scenario,
  seed: number,
  redis: PrivateRedis,
  { directory, keep }: { readonly directory: string; readonly keep: boolean },
): Promise<Run> {
  const { name, hosts = 1, neverCertain = [] } = scenario;
  const traces = Array.from({ length: hosts }, (_, host) =>
    join(directory, `${name}-${seed}${host === 0 ? '' : `-host${host}`}.db`),
  );
  const copy = join(directory, `${name}-${seed}-cut.db`);
  for (const file of [...traces, copy]) if (existsSync(file)) moveAside(file);
  const events = await played(scenario, seed, redis, traces);
  const connections = consumersConnections(traces);
  const whole = analysed(traces, events, scenario, connections);
  const random = randomStream(seed, 'hole');
  const holed = hosts === 1 ? 0 : Math.floor(random() * hosts);
  const hole = cutHole(traces[holed] as string, copy, random);
  const withHole = traces.map((trace, host) => (host === holed ? copy : trace));
  const cut = analysed(withHole, events, scenario, connections);
  const scored = ({ answered }: Answers, isWhole: boolean) =>
    answered.map((one) => ({
      ...one,
      score: scoreOf(one.fate, one.answer, { whole: isWhole, neverCertain }),
    }));
  const run: Run = {
    ...{ scenario: name, seed, hole },
    whole: scored(whole, true),
    cut: scored(cut, false),
    disagreements: disagreementsOf(whole, events),
  };
  if (keep) {
    keepLines(`${traces[0]}.truth.ndjson`, events);
    keepLines(`${traces[0]}.scored.ndjson`, run.whole);
    keepLines(`${copy}.scored.ndjson`, run.cut);
  } else for (const file of [...traces, copy]) rmSync(file);
  return run;
}

/** Plays it, and says what really happened. */
async function played(
  scenario: Scenario,
  seed: number,
  first: PrivateRedis,
  traces: readonly string[],
): Promise<readonly TruthEvent[]> {
  const more = await Promise.all(traces.slice(1).map(() => startRedis()));
  try {
    const hosts = traces.map((trace, at) => ({ trace, redis: more[at - 1] ?? first }));
    const stage = await Stage.open({ seed, hosts, latencyUs: scenario.latencyUs ?? 0 });
    try {
      await scenario.play(stage);
    } finally {
      await stage.close();
    }
    return stage.truth.events;
  } finally {
    for (const redis of more) await redis.stop();
  }
}

function keepLines(path: string, values: readonly unknown[]): void {
  writeFileSync(path, values.map((value) => `${JSON.stringify(value)}\n`).join(''));
}

function consumersConnections(paths: readonly string[]): Connections {
  const trace = openTraces(paths);
  try {
    return connectionsOf(trace);
  } finally {
    trace.close();
  }
}

function analysed(
  paths: readonly string[],
  events: readonly TruthEvent[],
  { losesBy }: Scenario,
  connections: Connections,
): Answers {
  const trace = openTraces(paths);
  try {
    return answersOf(trace, truthsOf(events, losesBy ?? []), spokeAsOf(events), connections);
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
