/** The parts of the page on what does not come in rounds. */
import { type EnduranceFigures, growthOf } from './endurance.js';
import type { HotPathFigures } from './hot-path.js';
import type { IdleFigures } from './idle-connections.js';
import { number, spread, table } from './markdown.js';
import type { SlowDiskFigures } from './result.js';
import type { ScaleFigures } from './scale.js';
import { accountOf } from './targets.js';

const MB = 2 ** 20;

export function renderHotPath(figures: readonly HotPathFigures[]): string {
  const rows = figures.map(({ chunkBytes, nanosecondsAChunk, bytesNotRecorded }) => [
    String(chunkBytes),
    spread(nanosecondsAChunk, 0),
    number(bytesNotRecorded),
  ]);
  return [
    'What recording adds on the forwarding thread for each chunk that it reads: taking the time, copying the chunk, and handing ' +
      'over blocks that are full. Median and quartiles of batches of 1,024 chunks.',
    table(['chunk, bytes', 'ns a chunk', 'bytes not recorded'], rows),
  ].join('\n\n');
}

export function renderScale(figures: readonly ScaleFigures[]): string {
  const rate = ({ operations }: ScaleFigures, seconds: number): string =>
    `${number(seconds, 1)} (${number(operations / seconds)}/s)`;
  const megabytes = (bytes: number): string => number(bytes / MB);
  const head = [
    ...['operations', 'trace MB', 'generate s', 'index s', 'MB'],
    ...['analyze-gap s', 'again s', 'MB', 'audit s', 'MB', 'query --key, first row ms'],
  ];
  const rows = figures.map((each) => [
    number(each.operations),
    megabytes(each.traceBytes),
    rate(each, each.generateSeconds),
    rate(each, each.indexSeconds),
    megabytes(each.indexPeakRssBytes),
    number(each.gapFirstSeconds, 2),
    number(each.gapAgainSeconds, 2),
    megabytes(each.gapPeakRssBytes),
    rate(each, each.auditSeconds),
    megabytes(each.auditPeakRssBytes),
    number(each.queryKeySeconds * 1000),
  ]);
  return [
    'Traces of `gaptrace generate`, all of them in the spool at first: the command that opens one next indexes it. Each figure is that of one ' +
      'command as a user runs it, the start of Node included; MB is the peak of its resident memory. `analyze-gap --sender --count` asks for one ' +
      'message in the middle of the trace, twice: the first time it may have to look for all messages, and remembers where they are.',
    table(head, rows),
  ].join('\n\n');
}

export function renderEndurance(figures: EnduranceFigures): string {
  const growth = growthOf(figures.rss);
  const rss = figures.rss.map(({ bytes }) => bytes / MB);
  const facts = [
    `\`SET\` of 3 bytes with 50 connections for ${number(figures.seconds)} s, ${number(figures.requestsPerSecond)} a second: ` +
      `Redis counted ${number(figures.asked)}, the trace has ${number(figures.recorded)}: ${accountOf(figures)}.`,
    `Of ${number(figures.bytes.onTheWire)} bytes on the wire, ${number(figures.bytes.inOperations)} are in operations and ` +
      `${number(figures.bytes.inHoles)} in holes.`,
    `When the load ended, ${number(figures.lagOperations)} operations were not indexed yet, and ${number(figures.catchUpSeconds, 1)} s ` +
      `later all were (${number(figures.asked / (figures.seconds + figures.catchUpSeconds))} operations a second from beginning to end). ` +
      `The trace has ${number(figures.traceBytes / MB)} MB.`,
    rss.length === 0
      ? `Resident memory ${number(figures.peakRssBytes / MB)} MB at most.`
      : `Resident memory ${number(Math.min(...rss))} to ${number(Math.max(...rss))} MB in ${rss.length} samples while the load ran, ` +
        `${number(figures.peakRssBytes / MB)} MB at most, catching up included` +
        `${growth === null ? '' : `; from the second fifth of the time to the last ${growth < 0 ? '' : '+'}${number(growth * 100, 1)} %`}.`,
  ];
  return facts.join('\n\n');
}

export function renderIdle(figures: readonly IdleFigures[]): string {
  const rows = figures.map(({ peer, connections, rssBeforeBytes, rssAfterBytes }) => [
    peer,
    number(connections),
    number(rssBeforeBytes / MB, 1),
    number(rssAfterBytes / MB, 1),
    number((rssAfterBytes - rssBeforeBytes) / connections / 1024, 1),
  ]);
  return [
    'Connections that have said PING and stay: as many as were asked for, or as the limit of open files allows (a proxy needs two ' +
      'for each). Resident memory before the first and after the last, kernel buffers not included.',
    table(['', 'connections', 'MB before', 'MB after', 'KB a connection'], rows),
  ].join('\n\n');
}

export function renderSlowDisk(figures: readonly SlowDiskFigures[]): string {
  const rows = figures.map((each) => [
    each.onOverload,
    number(each.requestsPerSecond),
    accountOf(each),
    number(each.peakRssBytes / MB),
    number(each.seconds, 1),
    number(each.catchUpSeconds, 1),
  ]);
  const disk = number((figures[0]?.diskBytesPerSecond ?? 0) / MB, 1);
  return [
    `The recorder's writer is throttled to ${disk} MB a second, and the load is \`SET\` of 3 bytes, P=16, c=50. ` +
      'With `--on-overload drop`, what does not fit into the memory limit of 64 MB is a hole; with `pause`, clients wait.',
    table(['--on-overload', 'requests/s', 'operations', 'peak RSS MB', 'load s', 'catch-up s'], rows),
  ].join('\n\n');
}
