/** The result as a page of Markdown: docs/benchmarks.md. Pure: a result in, text out. */
import type { HotPathFigures } from './hot-path.js';
import type { Machine } from './machine.js';
import { BARE_PIPE, HAPROXY } from './peers.js';
import type { BenchmarkResult } from './result.js';
import type { Measurement } from './rounds.js';
import { ratioOf, type Spread, spreadOf } from './statistics.js';

export function renderPage(result: BenchmarkResult): string {
  const { rounds, requests, measurements, machine, date, hotPath } = result;
  const sections = [
    '# What recording costs',
    INTRODUCTION,
    `${describeRun(machine, date)} ${rounds} rounds; ${number(requests)} requests for the first workload.`,
    ...distinct(measurements.map(({ workload }) => workload)).flatMap((workload) => [
      `## ${workload}`,
      throughput(measurements.filter((each) => each.workload === workload)),
    ]),
    '## What the proxies cost',
    COST_TEXT,
    costs(measurements),
    '## Behind the forwarding',
    RECORDING_TEXT,
    recordings(measurements),
    renderHotPath(hotPath),
  ];
  return `${sections.join('\n\n')}\n`;
}

const INTRODUCTION = `Written by \`make bench\`, and to be compared with a run on your own machine only. \
The same load goes straight to Redis, through HAProxy in TCP mode, through a bare pipe in Node (two sockets piped into each \
other: the floor for any proxy written for Node) and through gaptrace, which records all of it. Load generator, proxy and Redis \
share the machine, so a proxy also takes CPU time from the other two.

Each value is the median over the rounds, with the smallest and the largest in brackets. A ratio is taken within each round, between \
measurements that are seconds apart, and then the median of these. Where the brackets are wide, the machine had \
other things to do.`;

const COST_TEXT = `CPU time of all threads of the proxy for a million operations, from its start to its end; for gaptrace that \
includes storing and indexing all of them. The main thread is the one that forwards (in HAProxy, one of several).`;

const RECORDING_TEXT = `gaptrace stores what it has seen at once and indexes it as time allows. The lag is what was not indexed at the moment \
when the load ended; the time to catch up is from there to the end of the process, with all indexed and the end marker written. \
Wire bytes are those of both directions; trace bytes are the file's, \
pages included that are free again.`;

function describeRun(
  { cpu, cores, memoryBytes, kernel, loadBefore, versions }: Machine,
  date: string,
): string {
  const { gaptrace, node, redis, haproxy } = versions;
  return (
    `${date.slice(0, 10)}, ${cpu}, ${cores} cores, ${(memoryBytes / 2 ** 30).toFixed(0)} GiB, ${kernel}; ` +
    `load average in the minute before: ${loadBefore.toFixed(1)}. ` +
    `gaptrace ${gaptrace}, Node ${node}, Redis ${redis}, HAProxy ${haproxy}.`
  );
}

/** Of one workload. */
function throughput(measurements: readonly Measurement[]): string {
  const rates = (peer: string): number[] =>
    measurements.filter((each) => each.peer === peer).map(({ load }) => load.requestsPerSecond);
  const rows = peersOf(measurements).map((peer) => {
    const own = measurements.filter((each) => each.peer === peer);
    const ratioTo = (other: string): string =>
      peer === other ? '1' : spread(ratioOf(rates(peer), rates(other)), 2);
    return [
      peer,
      spread(spreadOf(rates(peer)), 0),
      ratioTo(BARE_PIPE.name),
      ratioTo(HAPROXY.name),
      spread(spreadOf(own.map(({ load }) => load.p50Ms)), 3),
      spread(spreadOf(own.map(({ load }) => load.p99Ms)), 3),
    ];
  });
  return table(['', 'requests/s', `of ${BARE_PIPE.name}`, `of ${HAPROXY.name}`, 'p50 ms', 'p99 ms'], rows);
}

function costs(measurements: readonly Measurement[]): string {
  const rows = distinct(measurements.map(({ workload }) => workload)).flatMap((workload) =>
    peersOf(measurements).flatMap((peer) => {
      const own = measurements
        .filter((each) => each.workload === workload && each.peer === peer)
        .flatMap(({ cost }) => (cost === null ? [] : [cost]));
      if (own.length === 0) return [];
      return [
        [
          workload,
          peer,
          spread(spreadOf(own.map(({ cpuSecondsAMillion }) => cpuSecondsAMillion)), 1),
          spread(spreadOf(own.map(({ mainThreadCpuSecondsAMillion }) => mainThreadCpuSecondsAMillion)), 1),
          spread(spreadOf(own.map(({ peakRssBytes }) => peakRssBytes / 2 ** 20)), 0),
        ],
      ];
    }),
  );
  return table(['workload', '', 'CPU s', 'of it, main thread', 'peak RSS MiB'], rows);
}

function recordings(measurements: readonly Measurement[]): string {
  const rows = distinct(measurements.map(({ workload }) => workload)).flatMap((workload) => {
    const own = measurements
      .filter((each) => each.workload === workload)
      .flatMap(({ recording }) => (recording === null ? [] : [recording]));
    if (own.length === 0) return [];
    return [
      [
        workload,
        number(spreadOf(own.map(({ operations }) => operations)).median),
        spread(spreadOf(own.map(({ lagOperations }) => lagOperations)), 0),
        spread(spreadOf(own.map(({ catchUpSeconds }) => catchUpSeconds)), 1),
        spread(spreadOf(own.map(({ traceBytes, wireBytes }) => traceBytes / wireBytes)), 2),
        number(Math.max(...own.map(({ bytesNotRecorded }) => bytesNotRecorded))),
      ],
    ];
  });
  return table(
    ['workload', 'operations', 'lag', 'catch-up s', 'trace bytes a wire byte', 'bytes not recorded, at most'],
    rows,
  );
}

/** The section on the hot path; also what `--hot-path` prints. */
export function renderHotPath(figures: readonly HotPathFigures[]): string {
  const rows = figures.map(({ chunkBytes, nanosecondsAChunk, bytesNotRecorded }) => [
    String(chunkBytes),
    spread(nanosecondsAChunk, 0),
    number(bytesNotRecorded),
  ]);
  return [
    '## The hot path alone',
    'What recording adds on the forwarding thread for each chunk that it reads: taking the time, copying the chunk, and handing ' +
      'over blocks that are full. Median and quartiles of batches of 1,024 chunks.',
    table(['chunk, bytes', 'ns a chunk', 'bytes not recorded'], rows),
  ].join('\n\n');
}

// --- cells -------------------------------------------------------------------------------------------------------

function spread({ median, low, high }: Spread, decimals: number): string {
  return `${number(median, decimals)} (${number(low, decimals)}..${number(high, decimals)})`;
}

function number(value: number, decimals = 0): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** The first column is text, the others are numbers. Cells must not contain `|`. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, column) => (column === 0 ? '---' : '--:'));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}

/** In the order of the first round. */
function peersOf(measurements: readonly Measurement[]): readonly string[] {
  return distinct(measurements.map(({ peer }) => peer));
}

function distinct(names: readonly string[]): readonly string[] {
  return [...new Set(names)];
}
