/** The part of the page on the rounds: how fast, how soon, at what cost, and what is left in the trace. */
import { number, spread, table } from './markdown.js';
import { measuredAt, peersOf, RATE, rateIndexKeptUp, ratioAt, valueAt, workloadsOf } from './measured.js';
import { BARE_PIPE, GAPTRACE, HAPROXY, NUTCRACKER } from './peers.js';
import type { RoundsFigures } from './result.js';
import type { Measurement, PeerCost } from './rounds.js';
import { ratioOf, type Spread, spreadOf } from './statistics.js';
import { traceRatio } from './targets.js';
import { WORKLOADS } from './workloads.js';

const KEPT_UP = `${GAPTRACE.name}, index kept up`;

export function renderRounds({ measurements }: RoundsFigures): string {
  const judged = measurements.filter((each) => each.judged);
  return [
    PEERS_TEXT,
    ...workloadsOf(judged).flatMap((workload) => [`### ${workload}`, throughput(measurements, workload)]),
    '### All workloads',
    GRID_TEXT,
    ratesOfAll(measurements),
    'Latencies: p50 / p99 / p99.9, ms.',
    latenciesOfAll(measurements),
    '### What the proxies cost',
    COST_TEXT,
    costs(measurements, cpuSeconds),
    'CPU seconds of Redis for a million operations, medians:',
    redisCosts(measurements),
    'The most memory that each held (peak RSS over all rounds), MB:',
    costs(measurements, peakMegabytes),
    '### Behind the forwarding',
    RECORDING_TEXT,
    recordings(measurements),
  ].join('\n\n');
}

const PEERS_TEXT = `The same load goes straight to Redis; through HAProxy in TCP mode; through nutcracker (twemproxy); through a bare pipe in Node (two sockets \
piped into each other: the floor for any proxy written for Node); through gaptrace, which records all of it; and straight to Redis while a client \
writes what MONITOR says into a file.

"Index kept up" is the same measurement of gaptrace: its requests by the time to send them **and** to index them all to the end of the trace. \
A load may go on for ever at about that rate; what is above it is stored at once and indexed later.

redis-benchmark counts latencies in steps of 8 us. The load of the channel layer is ioredis in Node, which costs more than any of the \
proxies: its rate compares little, its latencies are those of a delivery, from \`group_send\` to the message in the consumer.`;

const GRID_TEXT = `Requests/s (deliveries/s of the channel layer and of pub/sub), median.`;

const COST_TEXT = `CPU seconds of all threads of the proxy for a million operations (requests to Redis) / those of its main thread, medians, \
from its start to its end; for gaptrace that includes storing and indexing all of them. The main thread is the one that forwards (in HAProxy, \
one of several). Under MONITOR it is the client that writes the file; what Redis itself pays for it is in the table below.`;

const RECORDING_TEXT = `gaptrace stores what it has seen at once and indexes it as time allows; the warm-up is indexed before the load begins. The lag is what was not indexed at the moment \
when the load ended; the time to catch up is from there to the end of the process, with all indexed and the end marker written. \
Wire bytes are those of both directions; trace bytes are those of all its files after the end, the index and pages that are free again included.`;

function throughput(measurements: readonly Measurement[], workload: string): string {
  const of = (peer: string): readonly Measurement[] => measuredAt(measurements, workload, peer);
  const rows = peersOf(measurements.filter((each) => each.workload === workload)).flatMap((peer) => {
    const own = of(peer);
    const ratioTo = (other: string, rate: (each: Measurement) => number): string => {
      const others = of(other);
      if (others.length === 0) return '–';
      return peer === other ? '1' : spread(ratioOf(own.map(rate), others.map(RATE)), 2);
    };
    const rates = (rate: (each: Measurement) => number): readonly string[] => [
      spread(spreadOf(own.map(rate)), 0),
      ratioTo(BARE_PIPE.name, rate),
      ratioTo(HAPROXY.name, rate),
    ];
    const latency = (ms: (load: Measurement['load']) => number): string =>
      spread(spreadOf(own.map(({ load }) => ms(load))), 3);
    const row = [
      peer,
      ...rates(RATE),
      latency(({ p50Ms }) => p50Ms),
      latency(({ p99Ms }) => p99Ms),
      latency(({ p999Ms }) => p999Ms),
    ];
    return peer === GAPTRACE.name ? [row, [KEPT_UP, ...rates(rateIndexKeptUp), '', '', '']] : [row];
  });
  const unit = WORKLOADS.find(({ name }) => name === workload)?.unit ?? 'requests';
  const head = [
    '',
    `${unit}/s`,
    `of ${BARE_PIPE.name}`,
    `of ${HAPROXY.name}`,
    'p50 ms',
    'p99 ms',
    'p99.9 ms',
  ];
  const why = impossibleAt(workload);
  return table(head, rows) + (why === undefined ? '' : `\n\n${NUTCRACKER.name} cannot proxy ${why}.`);
}

function ratesOfAll(measurements: readonly Measurement[]): string {
  const peers = peersOf(measurements);
  const median = (of: Spread | null, decimals: number): string =>
    of === null ? '–' : number(of.median, decimals);
  const rows = workloadsOf(measurements).map((workload) => [
    workload,
    ...peers.map((peer) => cellAt(workload, peer, median(valueAt(measurements, workload, peer, RATE), 0))),
    median(valueAt(measurements, workload, GAPTRACE.name, rateIndexKeptUp), 0),
    ...[BARE_PIPE, HAPROXY].map(({ name }) =>
      median(ratioAt(measurements, workload, [GAPTRACE.name, name], RATE), 2),
    ),
  ]);
  const head = ['', ...peers, KEPT_UP, `gaptrace of ${BARE_PIPE.name}`, `gaptrace of ${HAPROXY.name}`];
  return `${table(head, rows)}${impossibleNotes(measurements)}`;
}

function latenciesOfAll(measurements: readonly Measurement[]): string {
  const peers = peersOf(measurements);
  const rows = workloadsOf(measurements).map((workload) => [
    workload,
    ...peers.map((peer) => {
      const own = measuredAt(measurements, workload, peer);
      const median = (ms: (load: Measurement['load']) => number): string =>
        number(spreadOf(own.map(({ load }) => ms(load))).median, 2);
      const text =
        own.length === 0
          ? '–'
          : [median(({ p50Ms }) => p50Ms), median(({ p99Ms }) => p99Ms), median(({ p999Ms }) => p999Ms)].join(
              ' / ',
            );
      return cellAt(workload, peer, text);
    }),
  ]);
  return table(['', ...peers], rows);
}

/** What nutcracker cannot do with this workload. */
function impossibleAt(workload: string): string | undefined {
  return WORKLOADS.find(({ name }) => name === workload)?.impossible[NUTCRACKER.name];
}

function cellAt(workload: string, peer: string, text: string): string {
  return peer === NUTCRACKER.name && impossibleAt(workload) !== undefined ? 'cannot' : text;
}

function impossibleNotes(measurements: readonly Measurement[]): string {
  const notes = workloadsOf(measurements).flatMap((workload) => {
    const why = impossibleAt(workload);
    return why === undefined ? [] : [`${why} (${workload})`];
  });
  return notes.length === 0 ? '' : `\n\n${NUTCRACKER.name} cannot proxy ${notes.join('; ')}.`;
}

/** A row a workload and a column a peer. */
function costs(measurements: readonly Measurement[], cell: (costs: readonly PeerCost[]) => string): string {
  const peers = peersOf(measurements.filter(({ cost }) => cost !== null));
  const rows = workloadsOf(measurements).map((workload) => [
    workload,
    ...peers.map((peer) => {
      const own = measuredAt(measurements, workload, peer).flatMap(({ cost }) =>
        cost === null ? [] : [cost],
      );
      return cellAt(workload, peer, own.length === 0 ? '–' : cell(own));
    }),
  ]);
  return table(['', ...peers], rows);
}

function redisCosts(measurements: readonly Measurement[]): string {
  const peers = peersOf(measurements);
  const rows = workloadsOf(measurements).map((workload) => [
    workload,
    ...peers.map((peer) => {
      const seconds = valueAt(measurements, workload, peer, (each) => each.redisCpuSecondsAMillion);
      return cellAt(workload, peer, seconds === null ? '–' : number(seconds.median, 1));
    }),
  ]);
  return table(['', ...peers], rows);
}

function cpuSeconds(costs: readonly PeerCost[]): string {
  const all = spreadOf(costs.map((each) => each.cpuSecondsAMillion)).median;
  const main = spreadOf(costs.map((each) => each.mainThreadCpuSecondsAMillion)).median;
  return `${number(all, 1)} / ${number(main, 1)}`;
}

function peakMegabytes(costs: readonly PeerCost[]): string {
  return number(Math.max(...costs.map(({ peakRssBytes }) => peakRssBytes)) / 2 ** 20);
}

function recordings(measurements: readonly Measurement[]): string {
  const rows = workloadsOf(measurements).flatMap((workload) => {
    const measured = measuredAt(measurements, workload, GAPTRACE.name);
    const own = measured.flatMap(({ recording }) => (recording === null ? [] : [recording]));
    if (own.length === 0) return [];
    return [
      [
        workload,
        number(spreadOf(own.map(({ operations }) => operations)).median),
        spread(spreadOf(own.map(({ lagOperations }) => lagOperations)), 0),
        spread(spreadOf(own.map(({ catchUpSeconds }) => catchUpSeconds)), 1),
        spread(spreadOf(measured.map(traceRatio)), 2),
        number(Math.max(...own.map(({ bytesNotRecorded }) => bytesNotRecorded))),
      ],
    ];
  });
  return table(
    ['workload', 'operations', 'lag', 'catch-up s', 'trace bytes a wire byte', 'bytes not recorded, at most'],
    rows,
  );
}
