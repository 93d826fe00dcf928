/**
 * Of several traces: an audit in the numbers of each trace. Inside the analysis operations and connections have numbers of their own
 * (several-traces.ts); a report names them as a person can look them up, by trace (origins.ts). An audit of one trace is itself.
 */
import type { Evidence } from '../evidence.js';
import type { Hint } from '../hints/hint.js';
import { operationAtHome, proseAtHome } from '../origins.js';
import { SeveralTraces } from '../several-traces.js';
import type { Answer } from './answers.js';
import type { Cluster } from './cluster.js';
import type { Fate } from './fate.js';

/** What of an audit names operations. */
interface Numbered {
  readonly clusters: readonly Cluster[];
  readonly answers: readonly Answer[];
  readonly hints: readonly Hint[];
  readonly fates: readonly Fate[];
}

export function auditAtHome<Of extends Numbered>(audit: Of, evidence: Evidence): Of {
  const traces = evidence.trace;
  if (!(traces instanceof SeveralTraces)) return audit;
  return {
    ...audit,
    clusters: audit.clusters.map((cluster) => clusterAtHome(cluster, traces)),
    answers: audit.answers.map((answer) => answerAtHome(answer, evidence, traces)),
    hints: audit.hints.map((hint) => hintAtHome(hint, evidence)),
    fates: audit.fates.map((fate) => fateAtHome(fate, traces)),
  };
}

function operationsAtHome(operations: readonly number[], traces: SeveralTraces) {
  const origins = operations.map((number) => traces.origin(number));
  return { operations: origins.map(({ id }) => id), traces: origins.map(({ trace }) => trace.path) };
}

function fateAtHome<Of extends Fate>(fate: Of, traces: SeveralTraces): Of {
  const taker = fate.connection === null ? null : traces.origin(fate.connection);
  return {
    ...fate,
    ...(taker ? { connection: taker.id, connection_trace: taker.trace.path } : {}),
    ...operationsAtHome(fate.operations, traces),
  };
}

function clusterAtHome(cluster: Cluster, traces: SeveralTraces): Cluster {
  return {
    ...cluster,
    departures: cluster.departures.map((departure) => {
      const { id, trace } = traces.origin(departure.operation);
      return { ...departure, operation: id, trace: trace.path };
    }),
    losses: cluster.losses.map((loss) => fateAtHome(loss, traces)),
  };
}

function answerAtHome(answer: Answer, evidence: Evidence, traces: SeveralTraces): Answer {
  return {
    ...answer,
    answer: proseAtHome(answer.answer, evidence),
    ...operationsAtHome(answer.operations, traces),
  };
}

function hintAtHome(hint: Hint, evidence: Evidence): Hint {
  return {
    ...hint,
    seen: proseAtHome(hint.seen, evidence),
    operations: hint.operations.map((operation) => operationAtHome(operation, evidence)),
  };
}
