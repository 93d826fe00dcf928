/**
 * audit: a whole trace in, the fate of every message out: totals, losses by moment, minutes, and the four questions answered. Works
 * from judgements, of whichever layer; prints nothing. What each part is, and why, is in audit/ and hints/.
 */
import type { Trace } from '../proxy/trace/trace.js';
import { type AboutTrace, aboutTrace } from './about-trace.js';
import { type Answer, answersOf, type Findings } from './audit/answers.js';
import { auditAtHome } from './audit/at-home.js';
import { besideDepartures, type OtherPop, type PopMoment } from './audit/beside-departures.js';
import { type Cluster, clusterOf } from './audit/cluster.js';
import { type Fate, fateOf } from './audit/fate.js';
import { type InterruptedPop, interruptedPops } from './audit/interrupted.js';
import { type Minute, minutesOf } from './audit/minutes.js';
import { type Moment, momentsOf, roomOf } from './audit/moments.js';
import { type Counted, groupedBy, type Totals, totalsOf } from './audit/totals.js';
import { Evidence } from './evidence.js';
import { clocksIn } from './hints/clocks.js';
import { fullest } from './hints/filling.js';
import type { Hint, HintMaterial } from './hints/hint.js';
import { hintsOf } from './hints/index.js';
import { unpolledSpans } from './hints/unpolled.js';
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
  let brought: ReadonlySet<number> | undefined;
  const report = reportOf(trace, evidence, {
    judgements,
    counted: judgements,
    pops: () => judgements.flatMap(lastPop),
    roomsOf: (queues) => roomsIn(judgements, queues, evidence),
    hints: {
      conduct: (connection) => judge.conductOf(connection),
      unpolled: () => unpolledSpans(evidence),
      clocks: () => clocksIn(evidence),
      fullest: (queue) => fullest(queue, evidence),
      brought: ({ id }) => {
        brought ??= new Set(evidence.journeys.journeys.flatMap(({ pops }) => pops.map((pop) => pop.id)));
        return brought.has(id);
      },
    },
  });
  let fates: readonly Fate[] | undefined;
  return auditAtHome(
    {
      ...report,
      // As many as messages, and not everybody asks for them.
      get fates() {
        fates ??= judgements.map((judgement) => fateOf(judgement, evidence));
        return fates;
      },
    },
    evidence,
  );
}

/** What an audit is made from, beside its evidence. */
export interface AuditMaterial {
  /** How many operations the trace has, where that is known without counting. */
  readonly operations?: number;
  /** All that were lost, at least; in the order in which each is first seen. */
  readonly judgements: readonly Judgement[];
  /** All of them. */
  readonly counted: readonly Counted[];
  /** The last pop of each message that was popped. */
  pops(): Iterable<OtherPop>;
  readonly roomsOf: Findings['roomsOf'];
  readonly hints: Omit<HintMaterial, 'trace' | 'evidence'>;
}

export function reportOf(
  trace: Trace,
  evidence: Evidence,
  { operations, judgements, counted, pops, roomsOf, hints }: AuditMaterial,
): Omit<Audit, 'fates'> {
  const moments = momentsOf(judgements, evidence);
  const interrupted = interruptedPops(evidence);
  return {
    schema: 1,
    trace: aboutTrace(trace, evidence, operations),
    totals: totalsOf(counted, (connection) => evidence.clientLibrary(connection)),
    clusters: moments.map((moment) => clusterOf(moment, evidence)),
    per_minute: minutesOf(evidence, interrupted, moments),
    answers: answersOf({
      ...{ roomsOf, evidence, moments, interrupted },
      ...comparisonsOf(pops, evidence, moments, interrupted),
    }),
    hints: hintsOf({ trace, evidence, ...hints }),
  };
}

function comparisonsOf(
  pops: () => Iterable<OtherPop>,
  { departures, journeys }: Evidence,
  moments: readonly Moment[],
  interrupted: readonly InterruptedPop[],
) {
  const losses = moments.map((moment) => moment.losses.flatMap(lastPop));
  const lost = new Set(losses.flat().map(({ id }) => id));
  function* healthy(): Generator<OtherPop> {
    for (const pop of pops()) if (!lost.has(pop.id)) yield pop;
  }
  const first = losses.flatMap((of) => of.slice(0, 1));
  const cut = interrupted
    .filter(({ queue, closedUs }) =>
      journeys.queues.get(queue)?.receives.some(({ requestedUs }) => requestedUs > closedUs),
    )
    .map(({ queue, pop, closedUs }) => ({ queue, id: pop.id, pop, atUs: closedUs }));
  return {
    lostPops: besideDepartures(first, healthy(), departures),
    cutOff: besideDepartures(cut, healthy(), departures),
  };
}

/** The pop by which it was taken for the last time. */
export function lastPop({ queue, waypoints }: Judgement): PopMoment[] {
  const pop = waypoints.findLast(({ role }) => role === 'pop')?.mark;
  return pop ? [{ queue, id: pop.id, pop, atUs: pop.repliedUs ?? pop.requestedUs }] : [];
}

function roomsIn(judgements: readonly Judgement[], queues: ReadonlySet<string>, evidence: Evidence) {
  return groupedBy(
    judgements.filter(({ queue }) => queues.has(queue)),
    ({ queue }) => queue,
  ).map(([queue, of]) => [queue, new Set(of.flatMap((one) => roomOf(one, evidence) ?? []))] as const);
}
