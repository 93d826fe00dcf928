/** What was asked of gaptrace, beside what this run measured. The figures asked for are those of the issue "Fast". */
import { type EnduranceFigures, growthOf } from './endurance.js';
import { number, spread } from './markdown.js';
import { RATE, ratioAt, valueAt } from './measured.js';
import { BARE_PIPE, GAPTRACE, HAPROXY, MONITOR } from './peers.js';
import type { BenchmarkResult, SectionName } from './result.js';
import type { Measurement } from './rounds.js';
import type { ScaleFigures } from './scale.js';
import type { Spread } from './statistics.js';
import { CHANNEL_LAYER, ONE_CONNECTION, PIPELINED, SMALLEST } from './workloads.js';

export interface Target {
  readonly what: string;
  readonly asked: string;
  readonly measured: string;
  /** Null: not measured, or not for as long as it was asked. */
  readonly reached: boolean | null;
}

const MB = 2 ** 20;

export function targetsOf({ sections, missing }: BenchmarkResult): readonly Target[] {
  const measurements = sections.rounds?.measurements ?? [];
  /** A row whose figures this section has, or why it has not. */
  const from = <T>(
    section: SectionName,
    what: string,
    asked: string,
    figures: T | null | undefined,
    judge: (figures: T) => readonly [measured: string, reached: boolean | null],
  ): Target => {
    if (figures === null || figures === undefined)
      return { what, asked, measured: `not measured: ${missing[section] ?? 'no figures'}`, reached: null };
    const [measured, reached] = judge(figures);
    return { what, asked, measured, reached };
  };
  const ratio = (what: string, least: number, workload: string, other: string): Target =>
    from(
      'rounds',
      what,
      `≥ ${least.toFixed(2)}`,
      ratioAt(measurements, workload, [GAPTRACE.name, other], RATE),
      (figures) => [spread(figures, 2), figures.median >= least],
    );
  const largest = sections.scale?.at(-1);
  const millions = largest === undefined ? '' : `, ${number(largest.operations / 1e6, 1)}M operations`;
  return [
    ratio('requests/s of the bare pipe’s, P=1, c=50', 0.9, SMALLEST, BARE_PIPE.name),
    ratio('requests/s of HAProxy’s, P=1, c=50', 0.85, SMALLEST, HAPROXY.name),
    ratio('requests/s of the bare pipe’s, P=16, c=50', 0.85, PIPELINED, BARE_PIPE.name),
    ratio('requests/s of Redis under MONITOR’s, P=16, c=50', 1.4, PIPELINED, MONITOR.name),
    from(
      'rounds',
      'p50 of the bare pipe’s, P=1, c=1',
      '≤ 1.10',
      oneConnection(measurements),
      ({ p50, mean }) => [`${spread(p50, 2)}; the mean ${spread(mean, 2)}`, p50.median <= 1.1],
    ),
    from(
      'hot-path',
      'a chunk on the forwarding thread, beyond the pipe',
      '< 1.5 us',
      sections['hot-path'],
      (figures) => {
        const slowest = Math.max(...figures.map(({ nanosecondsAChunk }) => nanosecondsAChunk.median)) / 1000;
        return [`${number(slowest, 2)} us`, slowest < 1.5];
      },
    ),
    from(
      'flood',
      '20 million operations at full load',
      'none missing, or holes that add up',
      sections.flood,
      (it) => [accountOf(it), isAccountedFor(it) && it.asked >= 20e6],
    ),
    from('flood', 'memory throughout, full load', '< 200 MB', sections.flood, (it) => [
      `${number(it.peakRssBytes / MB)} MB`,
      it.peakRssBytes < 200 * MB,
    ]),
    from('soak', 'memory throughout, ten minutes', '< 200 MB, flat', sections.soak, (it) => {
      const growth = growthOf(it.rss);
      const flat = growth !== null && growth < 0.1;
      return [
        `${number(it.peakRssBytes / MB)} MB at most, ${growth === null ? 'too short to say' : `${growth < 0 ? '' : '+'}${number(growth * 100)} %`} in ${number(it.seconds / 60, 1)} minutes`,
        unlessShort(flat && it.peakRssBytes < 200 * MB, it.seconds >= 600),
      ];
    }),
    from(
      'soak',
      'operations of these ten minutes',
      'none missing, or holes that add up',
      sections.soak,
      (it) => [accountOf(it), isAccountedFor(it)],
    ),
    from(
      'idle',
      'memory a connection, 10,000 idle ones',
      '≤ 20 KB',
      sections.idle?.find(({ peer }) => peer === GAPTRACE.name),
      (it) => {
        const kilobytes = (it.rssAfterBytes - it.rssBeforeBytes) / it.connections / 1024;
        return [`${number(kilobytes, 1)} KB, of ${number(it.connections)}`, kilobytes <= 20];
      },
    ),
    from(
      'rounds',
      'trace bytes a wire byte, channel layer, index included',
      '≤ 1.50',
      valueAt(measurements, CHANNEL_LAYER, GAPTRACE.name, traceRatio),
      (figures) => [spread(figures, 2), figures.median <= 1.5],
    ),
    from('scale', `indexing${millions}`, '≥ 150,000 operations/s', largest, (it) =>
      rateAt(it, it.indexSeconds, 150_000),
    ),
    from('scale', `analyze-gap --sender --count once indexed${millions}`, '< 1 s', largest, (it) => [
      `${number(it.gapAgainSeconds, 2)} s; the first question, which makes the index of messages, ${number(it.gapFirstSeconds, 2)} s`,
      it.gapAgainSeconds < 1,
    ]),
    from('scale', `audit${millions}`, '≥ 200,000 operations/s', largest, (it) =>
      rateAt(it, it.auditSeconds, 200_000),
    ),
    from('scale', `memory of audit${millions}`, '< 512 MB', largest, (it) => [
      `${number(it.auditPeakRssBytes / MB)} MB`,
      it.auditPeakRssBytes < 512 * MB,
    ]),
    from('scale', `query --key, first rows${millions}`, '< 200 ms', largest, (it) => [
      `${number(it.queryKeySeconds * 1000)} ms`,
      it.queryKeySeconds < 0.2,
    ]),
    from(
      'scale',
      'cost grows linearly',
      'seconds an operation: the largest trace ≤ 1.25 of the smallest',
      sections.scale,
      (all) => {
        const index = growthAnOperation(all, ({ indexSeconds }) => indexSeconds);
        const audit = growthAnOperation(all, ({ auditSeconds }) => auditSeconds);
        return [
          `indexing ${number(index, 2)}, audit ${number(audit, 2)}`,
          all.length > 1 && Math.max(index, audit) <= 1.25,
        ];
      },
    ),
    ...(['drop', 'pause'] as const).map((onOverload) =>
      from(
        'slow-disk',
        `a slow disk, --on-overload ${onOverload}`,
        onOverload === 'drop' ? '< 200 MB; holes that add up' : '< 200 MB; none missing',
        sections['slow-disk']?.find((each) => each.onOverload === onOverload),
        (it) => [
          `${number(it.peakRssBytes / MB)} MB; ${accountOf(it)}`,
          it.peakRssBytes < 200 * MB &&
            (onOverload === 'drop' ? isAccountedFor(it) : it.recorded === it.asked),
        ],
      ),
    ),
  ];
}

export function traceRatio({ recording }: Measurement): number {
  return recording === null ? Number.NaN : recording.traceBytes / recording.wireBytes;
}

/** What is well so far may still go wrong. */
function unlessShort(reached: boolean, longEnough: boolean): boolean | null {
  return reached && !longEnough ? null : reached;
}

function oneConnection(measurements: readonly Measurement[]): { p50: Spread; mean: Spread } | null {
  const of = (value: (each: Measurement) => number): Spread | null =>
    ratioAt(measurements, ONE_CONNECTION, [GAPTRACE.name, BARE_PIPE.name], value);
  const p50 = of(({ load }) => load.p50Ms);
  const mean = of(({ load }) => load.averageMs);
  return p50 === null || mean === null ? null : { p50, mean };
}

function rateAt({ operations }: ScaleFigures, seconds: number, least: number): readonly [string, boolean] {
  const rate = operations / seconds;
  return [`${number(rate)} operations/s`, rate >= least];
}

/** Seconds an operation of the largest trace, as a multiple of those of the smallest. */
function growthAnOperation(all: readonly ScaleFigures[], seconds: (each: ScaleFigures) => number): number {
  const each = all.map((figures) => seconds(figures) / figures.operations);
  return (each.at(-1) ?? Number.NaN) / (each[0] ?? Number.NaN);
}

/** `20,000,000 asked, all recorded`, or what is missing and whether the holes account for it. */
export function accountOf(figures: EnduranceFigures): string {
  const { asked, recorded, bytes } = figures;
  if (recorded === asked && bytes.inHoles === 0) return `${number(asked)} asked, none missing`;
  const unaccounted = bytes.onTheWire - bytes.inOperations - bytes.inHoles;
  return (
    `${number(asked)} asked, ${number(asked - recorded)} missing, holes of ${number(bytes.inHoles)} bytes` +
    (unaccounted === 0 ? ', which add up' : `; ${number(unaccounted)} bytes not accounted for`)
  );
}

/** None is missing, or every byte that passed is either in an operation or in a hole. */
export function isAccountedFor({ asked, recorded, bytes }: EnduranceFigures): boolean {
  const addsUp = bytes.onTheWire === bytes.inOperations + bytes.inHoles;
  return recorded === asked ? addsUp : addsUp && bytes.inHoles > 0;
}
