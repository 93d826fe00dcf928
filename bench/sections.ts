/** The parts of a run, in the order in which they run: each by itself, with a Redis of its own. */
import { messageOf } from '../terminal/errors.js';
import { endure, FULL_LOAD, ONE_BY_ONE } from './endurance.js';
import { CHUNK_BYTES, type HotPathFigures, measureHotPath } from './hot-path.js';
import { connectionsAllowed, type IdleFigures, measureIdle } from './idle-connections.js';
import { BARE_PIPE, GAPTRACE, HAPROXY, PEERS } from './peers.js';
import type { SectionFigures, SectionName, SlowDiskFigures } from './result.js';
import { runRounds } from './rounds.js';
import { measureScale, type ScaleFigures } from './scale.js';
import { ServerProcess } from './server-process.js';
import { WORKLOADS } from './workloads.js';

/** How much of each. */
export interface Extent {
  readonly rounds: number;
  readonly unjudgedRounds: number;
  readonly requests: number;
  /** Workloads whose name matches. */
  readonly only: RegExp;
  /** Operations of each trace. */
  readonly scale: readonly number[];
  readonly floodOperations: number;
  readonly soakSeconds: number;
  readonly idleConnections: number;
  /** Until memory has settled before it is looked at. */
  readonly settleMs: number;
  readonly slowDiskRequests: number;
}

export interface Surroundings {
  /** For files; removed at the end. */
  readonly directory: string;
  readonly say: (text: string) => void;
}

type Sections = {
  readonly [Name in SectionName]: (extent: Extent, around: Surroundings) => Promise<SectionFigures[Name]>;
};

/** A third of what the load brings, or less. */
const DISK_BYTES_PER_SECOND = 3 * 2 ** 20;
/** Requests of each run of redis-benchmark that a load of some time is made of. */
const AT_A_TIME = 500_000;

export const SECTIONS: Sections = {
  rounds: ({ rounds, unjudgedRounds, requests, only }, around) =>
    withRedis(around, async (redis) => ({
      rounds,
      unjudgedRounds,
      requests,
      measurements: await runRounds({
        peers: PEERS,
        workloads: WORKLOADS.filter(({ name }) => only.test(name)),
        ...{ rounds, unjudgedRounds, requests, redis },
        directory: around.directory,
        begins: (round, workload, peer) => around.say(`round ${round}, ${workload}: ${peer}`),
      }),
    })),

  async 'hot-path'(_, { say }) {
    const figures: HotPathFigures[] = [];
    for (const bytes of CHUNK_BYTES) {
      say(`hot path, chunks of ${bytes} bytes`);
      figures.push(await measureHotPath(bytes));
    }
    return figures;
  },

  async scale({ scale }, { directory, say }) {
    const figures: ScaleFigures[] = [];
    for (const operations of [...scale].sort((a, b) => a - b)) {
      try {
        figures.push(await measureScale(operations, directory, (what) => say(`scale: ${what}`)));
      } catch (error) {
        // The table says which sizes there are: the smaller ones are worth having.
        if (figures.length === 0) throw error;
        say(`scale: ${operations} operations: ${messageOf(error)}`);
        break;
      }
    }
    return figures;
  },

  flood: ({ floodOperations: requests }, around) =>
    withRedis(around, ({ port: redisPort }, { directory, say }) => {
      say(`flood: ${requests} operations`);
      return endure({
        flags: [],
        args: FULL_LOAD,
        requestsAtATime: requests,
        requests,
        seconds: 0,
        redisPort,
        directory,
      });
    }),

  soak: ({ soakSeconds: seconds }, around) =>
    withRedis(around, ({ port: redisPort }, { directory, say }) => {
      say(`soak: ${seconds} s`);
      // A run takes some ten seconds, where the whole takes minutes.
      const requestsAtATime = Math.max(1, Math.min(AT_A_TIME, Math.round(seconds * 10_000)));
      return endure({
        flags: [],
        args: ONE_BY_ONE,
        requestsAtATime,
        requests: 0,
        seconds,
        redisPort,
        directory,
      });
    }),

  idle: ({ idleConnections, settleMs }, around) =>
    withRedis(around, async ({ port: redisPort }, { directory, say }) => {
      const connections = await connectionsAllowed(idleConnections);
      const figures: IdleFigures[] = [];
      for (const peer of [HAPROXY, BARE_PIPE, GAPTRACE]) {
        say(`idle: ${connections} connections through ${peer.name}`);
        figures.push(await measureIdle(peer, { connections, settleMs }, redisPort, directory));
      }
      return figures;
    }),

  'slow-disk': ({ slowDiskRequests: requests }, around) =>
    withRedis(around, async ({ port: redisPort }, { directory, say }) => {
      const figures: SlowDiskFigures[] = [];
      for (const onOverload of ['drop', 'pause'] as const) {
        say(`slow disk: --on-overload ${onOverload}`);
        const flags = ['--on-overload', onOverload, '--slow-disk', String(DISK_BYTES_PER_SECOND)];
        const plan = { flags, args: FULL_LOAD, requestsAtATime: requests, requests, seconds: 0 };
        const endured = await endure({ ...plan, redisPort, directory });
        figures.push({ ...endured, onOverload, diskBytesPerSecond: DISK_BYTES_PER_SECOND });
      }
      return figures;
    }),
};

export const SECTION_NAMES = Object.keys(SECTIONS) as readonly SectionName[];

async function withRedis<T>(
  around: Surroundings,
  measure: (redis: ServerProcess, around: Surroundings) => Promise<T>,
): Promise<T> {
  const redis = await ServerProcess.start({
    name: 'redis-server',
    command: 'redis-server',
    args: (port) => [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', around.directory],
      ...['--save', '', '--appendonly', 'no', '--maxclients', '12000'],
    ],
  });
  try {
    return await measure(redis, around);
  } finally {
    await redis.stop();
  }
}
