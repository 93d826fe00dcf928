import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { audit } from '../analysis/audit.js';
import { openTrace } from '../proxy/trace/open.js';
import type { Trace } from '../proxy/trace/trace.js';
import { type GenerateOptions, type GenerateSummary, generate } from './generate.js';
import type { Label } from './ledger.js';

let folder: string;
let path: string;
let labelled: string;
const open: Trace[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gaptrace-generate-'));
  path = join(folder, 't.db');
  labelled = join(folder, 'labels.ndjson');
});
afterEach(() => {
  for (const trace of open.splice(0)) trace.close();
  rmSync(folder, { recursive: true, force: true });
});

const make = (options: Partial<GenerateOptions> = {}): Promise<GenerateSummary> =>
  generate({
    ...{ trace: path, labels: labelled, operations: 8_000, seed: 1, processes: 3, rooms: 6 },
    ...{ losses: 0.02, filing: 'index', ...options },
  });

function opened(of = path): Trace {
  const trace = openTrace(of);
  open.push(trace);
  return trace;
}

function labelsIn(file = labelled): { labels: Label[]; summary: unknown } {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  const [summary, ...labels] = lines.reverse().map((line) => JSON.parse(line) as unknown);
  return { labels: labels as Label[], summary };
}

interface Said {
  readonly member: string | null;
  readonly queue: string;
  readonly verdict: string;
  readonly cause: string | null;
  readonly sender: string | null;
  readonly count: number | null;
}

const lineOf = ({ member, queue, verdict, cause, sender, count }: Said): string =>
  `${verdict} ${cause} ${sender} ${count} ${member} ${queue}`;

describe('a generated trace', () => {
  it.each([
    { seed: 1, processes: 3, operations: 30_000, of: ['message-expired', 'over-capacity'] },
    { seed: 2, processes: 1, operations: 10_000, of: [] },
    { seed: 3, processes: 2, operations: 10_000, of: ['over-capacity'] },
    { seed: 4, processes: 6, operations: 20_000, of: ['over-capacity'] },
  ])('is judged as its labels have it: $processes processes', async ({ of, ...options }) => {
    const { messages, causes, verdicts, operations } = await make({
      ...options,
      rooms: 2 * options.processes,
    });
    const trace = opened();
    const { fates } = audit(trace);
    expect(fates).toHaveLength(messages);
    const said = fates.filter(({ verdict }) => verdict !== 'delivered').map(lineOf);
    expect(said.sort()).toEqual(labelsIn().labels.map(lineOf).sort());
    expect(verdicts.delivered).toBe(messages - said.length);
    expect(trace.operationCount()).toBe(operations);
    expect(Object.keys(causes)).toEqual(
      expect.arrayContaining([...of, 'popped-then-disconnected', 'redelivered-late', 'stray-pop']),
    );
    // As many as asked for, and those that come together at the end.
    expect(said.length / messages).toBeGreaterThan(0.01);
    expect(said.length / messages).toBeLessThan(0.04);
  });

  it('without losses has none', async () => {
    const { messages, causes } = await make({ losses: 0 });
    expect(messages).toBeGreaterThan(1000);
    expect(causes).toEqual({});
    const verdicts = new Set(audit(opened()).fates.map(({ verdict }) => verdict));
    verdicts.delete('recipients-left');
    expect([...verdicts]).toEqual(['delivered']);
  });

  it('is the same for the same seed, and another for another', async () => {
    const rows = async (name: string, seed: number): Promise<unknown[]> => {
      const trace = join(folder, name);
      await make({ trace, labels: `${trace}.labels`, seed, operations: 1500 });
      return [...opened(trace).sql('SELECT * FROM operation'), readFileSync(`${trace}.labels`, 'utf8')];
    };
    const first = await rows('a.db', 7);
    expect(await rows('b.db', 7)).toEqual(first);
    expect(await rows('c.db', 8)).not.toEqual(first);
  });

  it('unindexed, is completed by the next who opens it', async () => {
    const summary = await make({ operations: 1500, labels: null });
    const spooled = join(folder, 'spooled.db');
    expect(await make({ operations: 1500, labels: null, trace: spooled, filing: 'spool' })).toEqual(summary);
    const rows = (of: string): unknown[] => [...opened(of).sql('SELECT * FROM operation')];
    expect(rows(spooled)).toEqual(rows(path));
    expect([...opened(spooled).holes()]).toMatchObject([{ reason: 'no-end-marker' }]);
    expect([...opened(spooled).sql('SELECT count(*) AS n FROM spool')]).toEqual([{ n: 0 }]);
  });

  it('and its labels are private, and end with the sums', async () => {
    const summary = await make({ operations: 1500 });
    expect([path, labelled].map((file) => statSync(file).mode & 0o777)).toEqual([0o600, 0o600]);
    expect(labelsIn().summary).toEqual({ schema: 1, event: 'summary', ...summary });
  });
});

describe('where it cannot be made, nothing is left', () => {
  const files = (): string[] => readdirSync(folder).sort();

  it('because there is something already', async () => {
    writeFileSync(path, 'mine');
    await expect(make()).rejects.toMatchObject({ code: 'GAPTRACE_TRACE_EXISTS', exitStatus: 2 });
    rmSync(path);
    writeFileSync(labelled, 'mine');
    await expect(make()).rejects.toMatchObject({ code: 'GAPTRACE_LABELS', exitStatus: 2 });
    expect(files()).toEqual(['labels.ndjson']);
  });

  it('because the labels have nowhere to go', async () => {
    await expect(make({ labels: join(folder, 'none', 'l') })).rejects.toMatchObject({
      code: 'GAPTRACE_LABELS',
      message: expect.stringContaining('no such file') as string,
    });
    expect(files()).toEqual([]);
  });

  it.each(['index', 'spool'] as const)('because there is no room (%s)', async (filing) => {
    await expect(make({ filing, maxPages: 100 })).rejects.toMatchObject({
      code: 'GAPTRACE_DISK_FULL',
      exitStatus: 1,
    });
    expect(files()).toEqual([]);
  });

  it('because it was told to stop', async () => {
    const stop = new AbortController();
    const made = make({
      operations: 1e9,
      signal: stop.signal,
      onProgress: () => stop.abort(new Error('enough')),
    });
    await expect(made).rejects.toThrow('enough');
    expect(files()).toEqual([]);
  });
});
