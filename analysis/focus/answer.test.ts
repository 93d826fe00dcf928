import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { importCapture } from '../../proxy/import/import.js';
import { openTrace } from '../../proxy/trace/open.js';
import type { Trace } from '../../proxy/trace/trace.js';
import { analyzeFocused } from '../analyze.js';
import { Evidence } from '../evidence.js';
import { findingOf } from '../finding.js';
import { Judge } from '../judge.js';
import { DEFAULT_FIELDS } from '../payload.js';
import { MessageIndex } from '../question.js';
import { speaking } from '../speaking.js';
import { CutTrace } from '../testing/cut-trace.js';
import { randomCuts, randomJourneys } from '../testing/random-journeys.js';
import { integer, memberOf, PROCESS, QUEUE, ScriptedTrace } from '../testing/scripted-trace.js';
import type { Reach } from './look.js';
import { ReadOperations } from './read-operations.js';
import { SurveyedIndex } from './survey-index.js';

/** What the whole trace says of each of its messages, read once. */
function wholeAnswers(trace: Trace) {
  const evidence = new Evidence(trace);
  const judged = new MessageIndex(new Judge(evidence).all());
  return judged.senders().flatMap((sender) =>
    judged.counts(sender).map((count) => {
      const asked = {
        sender,
        count,
        room: null,
        reportedBy: [],
        reports: [],
        neverCame: false,
        noticedUs: null,
      };
      const told = speaking(judged.find(sender, count), false);
      return { sender, count, findings: told.map((one) => findingOf(asked, one, evidence, trace)) };
    }),
  );
}

/** Asks about messages both ways: what each look at a part says, beside what the whole trace says. */
function both(trace: Trace, looksUs: readonly Reach[], every = 1) {
  const ground = {
    trace,
    read: new ReadOperations(trace),
    index: new SurveyedIndex(trace, DEFAULT_FIELDS),
    fields: DEFAULT_FIELDS,
    looksUs,
  };
  const asked = wholeAnswers(trace).filter((_, at) => at % every === 0);
  const pairs = asked.flatMap(({ sender, count, findings }) => {
    const part = analyzeFocused(sender, count, ground);
    return part ? [{ part: part.findings, whole: findings }] : [];
  });
  return { pairs, asked: asked.length };
}

/** Small, so that they often do not see enough. */
const SMALL: readonly Reach[] = [
  [20_000, 60_000],
  [150_000, 700_000],
  [300_000, 1_500_000],
];

describe('a part of a trace says of a message what the whole one says, or nothing', () => {
  it('of random journeys', () => {
    const verdicts = new Map<string, number>();
    fc.assert(
      fc.property(randomJourneys, ({ trace }) => {
        for (const { part, whole } of both(trace, SMALL).pairs) {
          expect(part).toEqual(whole);
          const [finding] = part;
          const verdict = `${finding?.verdict} ${finding?.cause ?? ''}`.trim();
          verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
        }
      }),
      { numRuns: 12 },
    );
    // It is about something: messages that were delivered, and lost ones.
    expect([...verdicts.keys()]).toEqual(expect.arrayContaining(['delivered']));
  });

  it('of random journeys with holes', () => {
    const cut = randomJourneys.chain(({ trace }) => {
      const connections = [...trace.connections()].map(({ id }) => id);
      return randomCuts(trace.watermarkUs, connections, 100_000).map((cuts) => new CutTrace(trace, cuts));
    });
    fc.assert(
      fc.property(cut, (trace) => {
        for (const { part, whole } of both(trace, SMALL, 3).pairs) expect(part).toEqual(whole);
      }),
      { numRuns: 12 },
    );
  });
});

it('of a message in several queues, in the order in which each is first seen', () => {
  const other = `chat${PROCESS.replace('0123', 'fedc')}`;
  const [anna, carl] = [`${PROCESS}anna`, `${other.slice('chat'.length)}carl`];
  const [first, second] = [memberOf('s', 1, [anna]), memberOf('s', 1, [carl])];
  const trace = new ScriptedTrace();
  trace.join(1, 1, anna);
  trace.join(2, 1, carl);
  // Whoever reads the second queue waits already, so that queue is seen first.
  trace.on(other).restore(5, 3);
  trace.on(other).poll(10, 3, second, { tookMs: 92 });
  trace.rollCall(97, 1, [anna, carl]);
  const send = ['EVAL', 'script', '2', QUEUE, other, first, second, '1000', '1000', '0.1', '60'];
  trace.request(100, 1, send, integer(0));
  trace.receive(105, 2, first);
  trace.on(other).backup(110, 3, second);
  trace.on(other).acknowledge(115, 3, second);
  const { pairs } = both(trace, [[100_000, 60_000_000]]);
  expect(pairs).toHaveLength(1);
  expect(pairs[0]?.part).toMatchObject([{ verdict: 'delivered', queue: other }]);
  expect(pairs[0]?.part).toEqual(pairs[0]?.whole);
});

describe.each(['v5', 'desync'])('of the capture %s', (name) => {
  let folder: string;
  let trace: Trace;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gaptrace-focus-'));
    const path = join(folder, 'trace.db');
    await importCapture({ file: join('examples', `${name}.capture.jsonl.gz`), trace: path });
    trace = openTrace(path);
  });
  afterAll(() => {
    trace.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('too', () => {
    const { pairs, asked } = both(
      trace,
      [
        [300_000, 1_500_000],
        [1_200_000, 6_000_000],
      ],
      Number(process.env.EVERY ?? 97),
    );
    for (const { part, whole } of pairs) expect(part).toEqual(whole);
    expect(pairs.length).toBeGreaterThan(asked / 2);
  });
});
