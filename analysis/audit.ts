/**
 * audit: a whole trace in, the fate of every message out: totals, losses by moment, minutes, and the four questions answered. Works
 * from judgements, of whichever layer; prints nothing. What each part is, and why, is in audit/ and hints/.
 */
import type { Trace } from '../proxy/trace/trace.js';
import { type AboutTrace, aboutTrace } from './about-trace.js';
import { type Answer, answersOf } from './audit/answers.js';
import { auditAtHome } from './audit/at-home.js';
import { besideDepartures, type PopMoment } from './audit/beside-departures.js';
import { type Cluster, clusterOf } from './audit/cluster.js';
import { type Fate, fateOf } from './audit/fate.js';
import { type InterruptedPop, interruptedPops } from './audit/interrupted.js';
import { type Minute, minutesOf } from './audit/minutes.js';
import { type Moment, momentsOf } from './audit/moments.js';
import { type Totals, totalsOf } from './audit/totals.js';
import { Evidence } from './evidence.js';
import type { Hint } from './hints/hint.js';
import { hintsOf } from './hints/index.js';
import { Judge } from './judge.js';
import type { Judgement } from './judgement.js';
import { DEFAULT_FIELDS, type PayloadFields } from './payload.js';
import { PubSubJudge } from './pubsub/judge.js';
import { refusedSends } from './refused-sends.js';
import { scopeOf } from './scope.js';

export interface Audit {
  readonly schema: 1;
  readonly trace: AboutTrace;
  readonly totals: Totals;
  /** Losses by moment; every loss is in exactly one. */
  readonly clusters: readonly Cluster[];
  readonly per_minute: readonly Minute[];
  readonly answers: readonly Answer[];
  readonly hints: readonly Hint[];
  /** One for each message in each queue; on pub/sub one for each message. */
  readonly fates: readonly Fate[];
}

/** `prefixes`: of which applications (scope.ts); none: of all. Throws GaptraceError GAPTRACE_PREFIX when the trace has nothing of one. */
export function audit(
  trace: Trace,
  fields: PayloadFields = DEFAULT_FIELDS,
  prefixes: readonly string[] = [],
): Audit {
  const evidence = new Evidence(trace, fields, scopeOf(trace, prefixes));
  const judge = new Judge(evidence);
  const judgements: readonly Judgement[] = [
    ...judge.all(),
    ...new PubSubJudge(trace, evidence, fields).all(),
    ...refusedSends(evidence),
  ];
  const moments = momentsOf(judgements, evidence);
  const interrupted = interruptedPops(evidence);
  let fates: readonly Fate[] | undefined;
  const report: Audit = {
    schema: 1,
    trace: aboutTrace(trace, evidence),
    totals: totalsOf(judgements, evidence),
    clusters: moments.map((moment) => clusterOf(moment, evidence)),
    per_minute: minutesOf(evidence, interrupted, moments),
    answers: answersOf({
      ...{ judgements, evidence, moments, interrupted },
      ...comparisonsOf(judgements, evidence, moments, interrupted),
    }),
    hints: hintsOf({ trace, evidence, judgements, conduct: (connection) => judge.conductOf(connection) }),
    // As many as messages, and not everybody asks for them.
    get fates() {
      fates ??= judgements.map((judgement) => fateOf(judgement, evidence));
      return fates;
    },
  };
  return auditAtHome(report, evidence);
}

function comparisonsOf(
  judgements: readonly Judgement[],
  { departures, journeys }: Evidence,
  moments: readonly Moment[],
  interrupted: readonly InterruptedPop[],
) {
  const pops = judgements.flatMap(lastPop);
  const lost = new Set(moments.flatMap(({ losses }) => losses.flatMap(lastPop).map(({ pop }) => pop.id)));
  const healthy = pops.filter(({ pop }) => !lost.has(pop.id));
  const first = moments.flatMap(({ losses }) => losses.flatMap(lastPop).slice(0, 1));
  const cut = interrupted
    .filter(({ queue, closedUs }) =>
      journeys.queues.get(queue)?.receives.some(({ requestedUs }) => requestedUs > closedUs),
    )
    .map(({ queue, pop, closedUs }) => ({ queue, pop, atUs: closedUs }));
  return {
    lostPops: besideDepartures(first, healthy, departures),
    cutOff: besideDepartures(cut, healthy, departures),
  };
}

function lastPop({ queue, waypoints }: Judgement): PopMoment[] {
  const pop = waypoints.findLast(({ role }) => role === 'pop')?.mark;
  return pop ? [{ queue, pop, atUs: pop.repliedUs ?? pop.requestedUs }] : [];
}
