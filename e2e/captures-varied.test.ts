import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { analyze } from '../analysis/analyze.js';
import { turnedWrong } from '../analysis/testing/cut-trace.js';
import { randomCuts } from '../analysis/testing/random-journeys.js';
import { randomStream } from '../clients/random.js';
import { importCapture } from '../proxy/import/import.js';
import { openTrace } from '../proxy/trace/open.js';
import type { Trace } from '../proxy/trace/trace.js';
import { ROOT } from './processes.js';

// The five recordings, told otherwise: connections renumbered, clocks shifted, chunks split elsewhere. What they
// show does not change, and neither do the findings. And with holes cut into them no verdict turns wrong.

const CAPTURES = ['resp2', 'v5', 'resp3', 'shield', 'desync'];
const CUTS_EACH = 6;
/** Longer than any poll waits. */
const LONGEST_CUT_US = 6_000_000;

type Event = Readonly<Record<string, unknown>> & { readonly t: number; readonly conn: number };
type Header = Readonly<Record<string, unknown>> & { readonly started_unix_ms: number };

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'gaptrace-varied-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function linesOf(name: string): { header: Header; events: Event[] } {
  const text = gunzipSync(readFileSync(join(ROOT, `examples/${name}.capture.jsonl.gz`))).toString();
  const [header, ...events] = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  return { header: header as Header, events: events as Event[] };
}

async function imported(name: string, header: Header, events: readonly Event[]): Promise<Trace> {
  const file = join(directory, `${name}.jsonl`);
  writeFileSync(file, [header, ...events].map((line) => JSON.stringify(line)).join('\n'));
  await importCapture({ file, trace: join(directory, `${name}.db`) });
  return openTrace(join(directory, `${name}.db`));
}

/** The findings on every loss, with connections and times as the original has them. */
function findingsOf(trace: Trace, connectionOf: (mine: number) => number, shiftUs: number): unknown {
  const text = JSON.stringify(analyze(trace, { ask: 'losses' }).findings, (key, value: unknown) => {
    if (key === 'connection') return connectionOf(value as number);
    if (key.endsWith('_us') && key !== 'latency_us' && typeof value === 'number') return value - shiftUs;
    if (key !== 'explanation') return value;
    return String(value)
      .replace(/onnection (\d+)/g, (_, mine) => `onnection ${connectionOf(Number(mine))}`)
      .replace(/\+(\d+\.\d+)s/g, (_, at) => `+${(Number(at) - shiftUs / 1e6).toFixed(6)}s`);
  });
  return JSON.parse(text);
}

/** The same bytes in more chunks, split at random places; read at the same moment. */
function resplit(events: readonly Event[], random: () => number): Event[] {
  return events.flatMap((event) => {
    if (event.ev !== 'data') return [event];
    const bytes = Buffer.from(String(event.b64), 'base64');
    const at = Math.floor(random() * (bytes.length + 1));
    const parts = [bytes.subarray(0, at), bytes.subarray(at)].filter((part) => part.length > 0);
    return parts.map((part) => ({ ...event, b64: part.toString('base64') }));
  });
}

describe.each(CAPTURES)('%s', (name) => {
  const { header, events } = linesOf(name);
  let original: Trace;
  let expected: unknown;
  beforeAll(async () => {
    original = await imported(name, header, events);
    expected = findingsOf(original, (mine) => mine, 0);
    expect((expected as unknown[]).length).toBeGreaterThan(0);
  }, 60_000);
  afterAll(() => original.close());

  test('connections renumbered: the same findings', async () => {
    const random = randomStream(7, name);
    const numbers = [...new Set(events.map(({ conn }) => conn))];
    const drawn = numbers.map((conn) => ({ conn, at: random() })).sort((a, b) => a.at - b.at);
    const renumbered = new Map(drawn.map(({ conn }, at) => [conn, 1000 + at]));
    const back = new Map([...renumbered].map(([conn, mine]) => [mine, conn]));
    const changed = events.map((event) => ({ ...event, conn: renumbered.get(event.conn) as number }));
    const trace = await imported(`${name}-renumbered`, header, changed);
    expect(findingsOf(trace, (mine) => back.get(mine) ?? -1, 0)).toEqual(expected);
    trace.close();
  }, 60_000);

  test('clocks shifted: the same findings', async () => {
    const shiftUs = 3_600_000_000;
    const later = { ...header, started_unix_ms: header.started_unix_ms - 86_400_000 };
    const changed = events.map((event) => ({ ...event, t: event.t + shiftUs }));
    const trace = await imported(`${name}-shifted`, later, changed);
    expect(findingsOf(trace, (mine) => mine, shiftUs)).toEqual(expected);
    trace.close();
  }, 60_000);

  test('chunks split at random: the same findings', async () => {
    const changed = resplit(events, randomStream(7, `${name} split`));
    expect(changed.length).toBeGreaterThan(events.length * 1.3);
    const trace = await imported(`${name}-split`, header, changed);
    expect(findingsOf(trace, (mine) => mine, 0)).toEqual(expected);
    trace.close();
  }, 60_000);

  test('holes cut at random: no verdict turns wrong', () => {
    const connections = [...original.connections()].map(({ id }) => id);
    const cuts = randomCuts(original.watermarkUs, connections, LONGEST_CUT_US);
    for (const each of fc.sample(cuts, { numRuns: CUTS_EACH, seed: 7 }))
      expect(turnedWrong(original, each), JSON.stringify(each)).toEqual([]);
  }, 120_000);
});
