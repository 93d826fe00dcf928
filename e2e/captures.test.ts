import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gaptrace, select } from './gaptrace.js';
import { ROOT } from './processes.js';

// The acceptance data: five real recordings of real drops, and what their clients saw. Imported and explained by the
// built program; what the clients missed is worked out here once more, by code that shares nothing with gaptrace.

interface Finding {
  readonly sender: string;
  readonly count: number;
  readonly verdict: string;
  readonly cause: string;
  readonly reported_by: readonly string[];
  readonly operations: readonly {
    readonly role: string;
    readonly id: number;
    readonly connection: number;
    readonly command: string;
    readonly requested_us: number;
    readonly replied_us: number;
  }[];
  readonly events: readonly { readonly connection: number; readonly by: string; readonly at_us: number }[];
}

interface Analysis {
  readonly summary: Readonly<Record<string, number>>;
  readonly trace: { readonly holes: number };
  readonly findings: readonly Finding[];
}

interface ClientEvent {
  readonly event: string;
  readonly client: string;
  readonly sender: string;
  readonly count: number;
}

/**
 * Losing pops by cause, from a separate reading of the captures, and the causes that examples/README.md gives them. Of
 * all losses the clients noticed those that lie between two messages that they received.
 */
const CAPTURES = [
  { name: 'resp2', noticed: 3, losses: { 'popped-then-disconnected': 8 } },
  { name: 'v5', noticed: 4, losses: { 'popped-then-disconnected': 8 } },
  { name: 'resp3', noticed: 5, losses: { 'popped-then-disconnected': 7 } },
  { name: 'shield', noticed: 4, losses: { 'stray-pop': 4 } },
  {
    name: 'desync',
    noticed: 27,
    losses: { 'reply-desync': 34, 'popped-then-disconnected': 2, 'stray-pop': 2 },
  },
];

/** In desync, the losses outside every episode out of step: connection and the time of its BZPOPMIN. */
const OUTSIDE_EPISODES = [
  'popped-then-disconnected on 17 at 21913160',
  'popped-then-disconnected on 4 at 7502820',
  'stray-pop on 10 at 13504177',
  'stray-pop on 16 at 18823695',
];

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'gaptrace-captures-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

const example = (file: string) => join(ROOT, 'examples', file);
const key = ({ sender, count }: { sender: string; count: number }) => `${sender} ${count}`;

function clientEvents(name: string): ClientEvent[] {
  const text = gunzipSync(readFileSync(example(`${name}.clients.jsonl.gz`))).toString();
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as ClientEvent);
}

/** Messages missing between the first and the last count that one client received from one sender, with those who missed them. */
function missedBy(events: readonly ClientEvent[]): Map<string, string[]> {
  const received = new Map<string, Set<number>>();
  for (const { event, client, sender, count } of events) {
    if (event !== 'recv') continue;
    const of = `${client} ${sender}`;
    received.set(of, (received.get(of) ?? new Set()).add(count));
  }
  const missed = new Map<string, string[]>();
  for (const [of, counts] of received) {
    const [client = '', sender = ''] = of.split(' ');
    for (let count = Math.min(...counts); count < Math.max(...counts); count++)
      if (!counts.has(count))
        missed.set(`${sender} ${count}`, [...(missed.get(`${sender} ${count}`) ?? []), client]);
  }
  return missed;
}

async function analyzed(...args: readonly string[]): Promise<Analysis> {
  const { status, stdout, stderr } = await gaptrace('analyze-gap', ...args, '--json');
  expect(status, stderr).toBe(1);
  return JSON.parse(stdout) as Analysis;
}

const popOf = (finding: Finding) => finding.operations.findLast(({ role }) => role === 'pop')!;

function byCause(findings: readonly Finding[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { cause } of findings) counts[cause] = (counts[cause] ?? 0) + 1;
  return counts;
}

describe.each(CAPTURES)('$name', ({ name, noticed, losses }) => {
  let trace: string;
  let events: ClientEvent[];
  /** What was asked for the clients' gaps, and for every loss. */
  let ofGaps: Analysis;
  let ofTrace: Analysis;
  beforeAll(async () => {
    trace = join(directory, `${name}.db`);
    const imported = await gaptrace('import', example(`${name}.capture.jsonl.gz`), '--trace', trace);
    expect(imported, imported.stderr).toMatchObject({ status: 0 });
    events = clientEvents(name);
    ofGaps = await analyzed(trace, '--gaps', example(`${name}.clients.jsonl.gz`));
    ofTrace = await analyzed(trace);
  });

  test('every gap that the clients logged is explained, with its pop, and nothing else is', async () => {
    const { findings, summary, trace: about } = ofGaps;
    const missed = missedBy(events);
    expect(missed.size).toBe(noticed);
    expect(new Map(findings.map((finding) => [key(finding), [...finding.reported_by].sort()]))).toEqual(
      new Map([...missed].map(([message, clients]) => [message, clients.sort()])),
    );
    expect(about.holes).toBe(0);
    expect(summary).toMatchObject({ lost: noticed, indeterminate: 0 });
    for (const finding of findings) {
      expect(finding).toMatchObject({ verdict: 'lost' });
      expect(Object.keys(losses)).toContain(finding.cause);
      expect(popOf(finding)).toMatchObject({ command: 'BZPOPMIN' });
      expect(finding.operations.map(({ role }) => role)).toEqual(
        expect.arrayContaining(['enqueue', 'pop', 'next-receive']),
      );
      expect(
        finding.operations.filter(({ role, id }) => role === 'backup' && id > popOf(finding).id),
      ).toEqual([]);
      expect(finding.events).toMatchObject([{ connection: popOf(finding).connection, by: 'client' }]);
    }
  });

  test('every loss has the cause that the episode rule gives it, and no client received any of them', async () => {
    const { findings, summary } = ofTrace;
    expect(byCause(findings)).toEqual(losses);
    expect(summary).toMatchObject({ lost: findings.length, indeterminate: 0 });
    const received = new Set(events.filter(({ event }) => event === 'recv').map(key));
    for (const finding of findings) if (finding.sender !== null) expect(received).not.toContain(key(finding));
    if (name !== 'desync') return;
    const outside = findings.filter(({ cause }) => cause !== 'reply-desync');
    expect(
      outside.map((f) => `${f.cause} on ${popOf(f).connection} at ${popOf(f).requested_us}`).sort(),
    ).toEqual(OUTSIDE_EPISODES);
  });

  test('what a popped-then-disconnected rests on: the client closed before the next receive step, and sent nothing more', async () => {
    const { findings } = ofTrace;
    const requests = await select<{ connection: number; requested_us: number }>(
      trace,
      'SELECT connection, requested_us FROM operation',
    );
    for (const finding of findings.filter(({ cause }) => cause === 'popped-then-disconnected')) {
      const next = finding.operations.find(({ role }) => role === 'next-receive')!;
      expect(finding.events[0]?.at_us).toBeLessThanOrEqual(next.replied_us);
      const pop = popOf(finding);
      const after = requests.filter(
        ({ connection, requested_us: at }) => connection === pop.connection && at > pop.replied_us,
      );
      expect(after).toEqual([]);
    }
  });

  test('every message that clients received was delivered, early or late', async () => {
    const received = new Set(events.filter(({ event }) => event === 'recv').map(key));
    const { summary } = ofGaps;
    expect((summary.delivered ?? 0) + (summary['redelivered-late'] ?? 0)).toBe(received.size);
  });
});
