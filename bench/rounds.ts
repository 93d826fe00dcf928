/**
 * The measurements: in each round every workload goes through every peer, and the peer that begins is another one each
 * time. What else the machine does meanwhile hits all peers alike, and a ratio is between neighbours in time.
 *
 * Each measurement has a fresh process and a warm-up, and gaptrace has indexed all it recorded before the next one begins.
 */
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadFigures } from './load.js';
import type { Peer, RunningPeer } from './peers.js';
import type { ProcessCost } from './process-cost.js';
import type { ServerProcess } from './server-process.js';
import { operationsIndexed, readTraceFacts, type TraceFacts } from './trace-facts.js';
import type { Workload } from './workloads.js';

/** What a proxy has cost from its start on: warm-up, load and, for gaptrace, indexing to the end. */
export interface PeerCost {
  readonly cpuSecondsAMillion: number;
  readonly mainThreadCpuSecondsAMillion: number;
  readonly peakRssBytes: number;
}

export interface RecordingFigures extends TraceFacts {
  /** Operations not yet indexed when the load ended. */
  readonly lagOperations: number;
  /** From SIGTERM, sent when the load ended, to the end of the process: all indexed, end marker written. */
  readonly catchUpSeconds: number;
}

export interface Measurement {
  /** From 1. */
  readonly round: number;
  readonly workload: string;
  readonly unit: Workload['unit'];
  readonly judged: boolean;
  readonly peer: string;
  readonly load: LoadFigures;
  /** Null where there is no process in between. */
  readonly cost: PeerCost | null;
  /** CPU time of Redis for a million operations, warm-up and, where it is monitored, the end of that included. */
  readonly redisCpuSecondsAMillion: number;
  /** Null where nothing is recorded. */
  readonly recording: RecordingFigures | null;
}

type Figures = Pick<Measurement, 'load' | 'cost' | 'redisCpuSecondsAMillion' | 'recording'>;

export interface Plan {
  readonly peers: readonly Peer[];
  readonly workloads: readonly Workload[];
  readonly rounds: number;
  /** Of the workloads that no target is about. */
  readonly unjudgedRounds: number;
  /** Requests of a workload whose share is 1. */
  readonly requests: number;
  readonly redis: ServerProcess;
  readonly directory: string;
  /** Called before each measurement. */
  readonly begins: (round: number, workload: string, peer: string) => void;
}

const WARM_UP_SHARE = 0.2;
/** Nothing was indexed for so long. */
const STANDS_STILL_MS = 2_000;

export async function runRounds(plan: Plan): Promise<readonly Measurement[]> {
  const measurements: Measurement[] = [];
  for (let round = 1; round <= Math.max(plan.rounds, plan.unjudgedRounds); round++)
    for (const workload of plan.workloads) {
      if (round > (workload.judged ? plan.rounds : plan.unjudgedRounds)) continue;
      for (const peer of rotated(plan.peers, round - 1)) {
        if (workload.impossible[peer.name] !== undefined) continue;
        plan.begins(round, workload.name, peer.name);
        const figures = await measure(peer, workload, plan);
        const { name, unit, judged } = workload;
        measurements.push({ round, workload: name, unit, judged, peer: peer.name, ...figures });
      }
    }
  return measurements;
}

/** The list from position `by` on, and then what was before it. */
export function rotated<T>(list: readonly T[], by: number): readonly T[] {
  const at = by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}

async function measure(
  peer: Peer,
  workload: Workload,
  { requests, redis, directory }: Plan,
): Promise<Figures> {
  const measured = Math.max(1, Math.round(requests * workload.share));
  const warmUp = Math.max(1, Math.round(measured * WARM_UP_SHARE));
  const running = await peer.start(redis.port, directory);
  const redisStarted = redis.cost().cpuSeconds;
  const started = running.server?.cost() ?? null;
  const warmed = await workload.run(running.port, warmUp);
  if (running.trace !== null) await untilIndexed(running.trace, warmed.operations);
  const load = await workload.run(running.port, measured);
  const operations = warmed.operations + load.operations;
  const figures = await finish(running, started, operations);
  const redisCpuSecondsAMillion = (redis.cost().cpuSeconds - redisStarted) / (operations / 1e6);
  return { load, redisCpuSecondsAMillion, ...figures };
}

/** What the load leaves to be indexed is then its own. Where bytes were not recorded it never gets there, and so it ends when it stands still. */
async function untilIndexed(trace: string, operations: number): Promise<void> {
  let indexed = operationsIndexed(trace);
  let movedMs = performance.now();
  while (indexed < operations && performance.now() - movedMs < STANDS_STILL_MS) {
    await sleep(20);
    const now = operationsIndexed(trace);
    if (now !== indexed) movedMs = performance.now();
    indexed = now;
  }
}

async function finish(
  { server, trace }: RunningPeer,
  started: ProcessCost | null,
  operations: number,
): Promise<Pick<Figures, 'cost' | 'recording'>> {
  if (server === null || started === null) return { cost: null, recording: null };
  const indexed = trace === null ? 0 : operationsIndexed(trace);
  const { seconds, cost } = await server.stop();
  const millions = operations / 1e6;
  return {
    cost: {
      cpuSecondsAMillion: (cost.cpuSeconds - started.cpuSeconds) / millions,
      mainThreadCpuSecondsAMillion: (cost.mainThreadCpuSeconds - started.mainThreadCpuSeconds) / millions,
      peakRssBytes: cost.peakRssBytes,
    },
    recording: trace === null ? null : await recordingFigures(trace, indexed, seconds),
  };
}

async function recordingFigures(
  trace: string,
  indexed: number,
  catchUpSeconds: number,
): Promise<RecordingFigures> {
  const facts = readTraceFacts(trace);
  await rm(dirname(trace), { recursive: true });
  return { ...facts, lagOperations: facts.operations - indexed, catchUpSeconds };
}
