/** What is asked of each peer. A further workload is one more entry. */
import { loadFanOut } from './fan-out-load.js';
import { loadLayer } from './layer-load.js';
import type { LoadFigures } from './load.js';
import { runRedisBenchmark } from './redis-benchmark.js';

export interface Workload {
  readonly name: string;
  /** What its rate counts. */
  readonly unit: 'requests' | 'deliveries';
  /** Requests, as a multiple of `--requests`, so that each workload takes about as long. */
  readonly share: number;
  /** A target is about it: it is measured longer and more often, and has a table of its own. */
  readonly judged: boolean;
  /** By name of a peer: why it cannot be measured there. */
  readonly impossible: Readonly<Record<string, string>>;
  /** Loads what listens on the port of 127.0.0.1. */
  run(port: number, requests: number): Promise<LoadFigures>;
}

const KEYS = '10000';
/** Of requests/s, compared with those of 50 connections without pipelines: as a machine of two cores showed them. */
const RATE: Readonly<Record<string, number>> = {
  '1 1': 0.2,
  '1 50': 1,
  '1 500': 0.8,
  '16 1': 1.5,
  '16 50': 8,
  '16 500': 6,
};
const UNJUDGED = 0.4;

type Verb = 'SET' | 'ZADD';

/** `SET` of a value, or `ZADD` of a member with a score such as the channel layer's, under one of 10,000 keys. */
function small(verb: Verb, bytes: number, pipeline: number, connections: number): Workload {
  const value = 'x'.repeat(bytes);
  const command =
    verb === 'SET'
      ? ['SET', 'key:__rand_int__', value]
      : ['ZADD', 'set:__rand_int__', '1732620000.123456', value];
  const args = [...['-r', KEYS, '-c', String(connections), '-P', String(pipeline)], ...command];
  const judged =
    verb === 'SET' && bytes === 3 && (connections === 50 || (connections === 1 && pipeline === 1));
  return {
    name: nameOf(verb, bytes, pipeline, connections),
    unit: 'requests',
    share: (RATE[`${pipeline} ${connections}`] ?? 1) * (judged ? 1 : UNJUDGED),
    judged,
    impossible: {},
    run: (port, requests) => runRedisBenchmark(port, requests, args),
  };
}

function nameOf(verb: Verb, bytes: number, pipeline: number, connections: number): string {
  return `${verb} ${bytes} B, P=${pipeline}, c=${connections}`;
}

/** The workloads that the targets name. */
export const SMALLEST = nameOf('SET', 3, 1, 50);
export const PIPELINED = nameOf('SET', 3, 16, 50);
export const ONE_CONNECTION = nameOf('SET', 3, 1, 1);
export const CHANNEL_LAYER = 'channel layer, 10 processes';

const BIG_BYTES = 2 ** 20;

export const WORKLOADS: readonly Workload[] = [
  ...(['SET', 'ZADD'] as const).flatMap((verb) =>
    [3, 256].flatMap((bytes) =>
      [1, 16].flatMap((pipeline) =>
        [1, 50, 500].map((connections) => small(verb, bytes, pipeline, connections)),
      ),
    ),
  ),
  {
    name: CHANNEL_LAYER,
    unit: 'deliveries',
    share: 0.08,
    judged: true,
    impossible: { nutcracker: 'BZPOPMIN, MULTI and scripts with several keys' },
    run: loadLayer,
  },
  {
    name: 'SET 1 MB, P=1, c=4',
    unit: 'requests',
    share: 0.01,
    judged: false,
    impossible: {},
    run: (port, requests) =>
      runRedisBenchmark(port, requests, ['-t', 'set', '-d', String(BIG_BYTES), '-r', '20', '-c', '4']),
  },
  {
    name: 'pub/sub, 1 to 50, 256 B',
    unit: 'deliveries',
    share: 2,
    judged: false,
    impossible: { nutcracker: 'SUBSCRIBE and PUBLISH' },
    run: loadFanOut,
  },
];
