import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generate } from '../../generate/generate.js';
import { importCapture } from '../../proxy/import/import.js';
import { openTrace } from '../../proxy/trace/open.js';
import type { Trace } from '../../proxy/trace/trace.js';
import { encodeMember } from '../../server/layers/message.js';
import { audit } from '../audit.js';
import { DEFAULT_FIELDS } from '../payload.js';
import { CutTrace } from '../testing/cut-trace.js';
import { randomCuts, randomJourneys } from '../testing/random-journeys.js';
import { integer, memberOf, PROCESS, QUEUE, ScriptedTrace } from '../testing/scripted-trace.js';
import { healthy, message } from '../testing/verdict-of.js';
import { hashOf } from './innocents.js';
import { siftedAudit } from './sifted-audit.js';
import type { Looking } from './suspects.js';

const ANNA = `${PROCESS}anna`;
const BERT = `${PROCESS}bert`;

/** Looks that often do not see enough, and see no more than they must. */
const SMALL: Looking = {
  looksUs: [
    [10_000, 20_000],
    [20_000, 60_000],
    [150_000, 700_000],
  ],
  fewForEach: 0,
  mostAtAll: 30_000,
};

/** The audit by sifting beside that of the whole, as JSON has them; null where sifting says nothing. */
function both(trace: Trace, looking?: Looking) {
  const sifted = siftedAudit(trace, DEFAULT_FIELDS, looking);
  if (!sifted) return null;
  const { fates, ...report } = sifted;
  const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
  return { sifted: plain({ ...report, fates: [...fates] }), whole: plain(audit(trace)) };
}

describe.each([
  ['the usual looks', undefined],
  ['small looks', SMALL],
])('with %s an audit by sifting says what that of the whole trace says, or nothing', (_, looking) => {
  it('of random journeys', () => {
    let said = 0;
    fc.assert(
      fc.property(randomJourneys, ({ trace }) => {
        const audits = both(trace, looking);
        if (!audits) return;
        said++;
        expect(audits.sifted).toEqual(audits.whole);
      }),
      { numRuns: Number(process.env.RUNS ?? 60) },
    );
    expect(said).toBeGreaterThan(10);
  });

  it('of random journeys with holes', () => {
    const cut = randomJourneys.chain(({ trace }) => {
      const connections = [...trace.connections()].map(({ id }) => id);
      return randomCuts(trace.watermarkUs, connections, 100_000).map((cuts) => new CutTrace(trace, cuts));
    });
    fc.assert(
      fc.property(cut, (trace) => {
        const audits = both(trace, looking);
        if (audits) expect(audits.sifted).toEqual(audits.whole);
      }),
      { numRuns: Number(process.env.RUNS ?? 60) },
    );
  });

  it('of messages whose members have one hash, of which one is lost', () => {
    const trace = inGoodHealth(0, 20);
    const [lost, received] = [alike('a'), alike('b')];
    expect(hashOf(0, lost)).toBe(hashOf(0, received));
    trace.rollCall(2001, 1, [ANNA]);
    trace.groupSend(2002, 1, lost);
    trace.groupSend(2003, 1, received);
    trace.poll(2010, 3, lost, { flushMs: null });
    trace.disconnect(2012, 3);
    trace.receive(2020, 2, received);
    inGoodHealth(21, 60, trace);
    const audits = both(trace, looking);
    expect(audits?.sifted).toEqual(audits?.whole);
    expect(audits?.whole).toMatchObject({ totals: { total: 61, verdicts: { lost: 1 } } });
  });

  it('of a message that is popped once more, after its recipient has left but for a group that it joined unseen', () => {
    const other = 'chat:group:room_b';
    const trace = inGoodHealth(0, 10);
    trace.rollCall(1000, 1, [ANNA], other);
    trace.leave(1500, 1, ANNA);
    trace.rollCall(2001, 1, [ANNA]);
    trace.groupSend(2002, 1, memberOf('anna', 1, [ANNA]));
    trace.receive(2010, 2, memberOf('anna', 1, [ANNA]));
    trace.leave(2500, 1, ANNA, other);
    trace.receive(3000, 2, memberOf('anna', 1, [ANNA]));
    inGoodHealth(31, 60, trace);
    const audits = both(trace, looking);
    expect(audits?.sifted).toEqual(audits?.whole);
    expect(audits?.whole).not.toMatchObject({ totals: { verdicts: { 'recipients-left': 1 } } });
  });

  it.each(['v5', 'desync'])('of the capture %s', async (name: string) => {
    await inFolder(async (trace) => {
      await importCapture({ file: join('examples', `${name}.capture.jsonl.gz`), trace });
      expectTheSame(trace, looking);
    });
  });

  it.each([1, 2])('of a made trace with many losses, seed %d', async (seed) => {
    await inFolder(async (trace) => {
      const size = { operations: 25_000, processes: 4, rooms: 6, losses: 0.02 };
      await generate({ trace, labels: null, seed, filing: 'index', ...size });
      expectTheSame(trace, looking);
    });
  });
});

/** A message each tenth of a second, for Bert, from one number to before another. */
function inGoodHealth(from: number, before: number, trace = new ScriptedTrace()): ScriptedTrace {
  for (let count = from; count < before; count++) {
    trace.rollCall(100 * count, 1, [ANNA, BERT]);
    trace.groupSend(100 * count + 2, 1, memberOf('bert', count, [BERT]));
    trace.receive(100 * count + 10, 2, memberOf('bert', count, [BERT]));
  }
  return trace;
}

/** A member that is the same as others at its beginning and its end. */
function alike(type: string): Buffer {
  return Buffer.from(encodeMember({ type, __asgi_channel__: [ANNA] }, Buffer.alloc(12)));
}

/** A message a second. */
function deliver(fromS: number, toS: number, trace: ScriptedTrace): void {
  for (let second = fromS; second < toS; second++) {
    trace.groupSend(second * 1000, 1, message(second));
    trace.receive(second * 1000 + 10, 2, message(second));
  }
}

describe('what the usual looks must see', () => {
  const oneLook = (beforeUs: number, afterUs: number): Looking => ({
    looksUs: [[beforeUs, afterUs]],
    fewForEach: 0,
    mostAtAll: 0,
  });

  it('of a transaction that trims several queues: which of its replies is of this one', () => {
    const trace = healthy();
    const trim = (queue: string) => ['ZREMRANGEBYSCORE', queue, '0', '35'];
    const [before, after] = ['a', 'b'].map((digit) => `chatspecific.${digit.repeat(32)}!`) as [
      string,
      string,
    ];
    deliver(10, 20, trace);
    trace.groupSend(30_000, 1, message(30));
    trace.groupSend(60_000, 1, message(60));
    for (let second = 31; second < 95; second += 4) trace.restore(second * 1000, 2);
    trace.transaction(95_000, 1, [
      [trim(before), integer(0)],
      [trim(QUEUE), integer(1)],
      [trim(after), integer(0)],
    ]);
    trace.receive(95_500, 2, message(60));
    deliver(96, 105, trace);
    trace.watermarkUs = 110_000_000;
    const audits = both(trace, oneLook(3_000_000, 12_000_000));
    expect(audits?.sifted).toMatchObject({ totals: { causes: { 'message-expired': 1 } } });
    expect(audits?.sifted).toEqual(audits?.whole);
  });

  it('a receiver that stalls for a minute: the polls before and after', () => {
    const trace = healthy();
    deliver(10, 20, trace);
    trace.groupSend(30_000, 1, message(30));
    trace.groupSend(50_000, 1, message(50), { full: 1 });
    trace.receive(79_000, 2, message(30));
    deliver(80, 90, trace);
    trace.watermarkUs = 100_000_000;
    const audits = both(trace, oneLook(3_000_000, 3_000_000));
    expect(audits?.sifted).toMatchObject({ totals: { causes: { 'receiver-stalled': 1 } } });
    expect(audits?.sifted).toEqual(audits?.whole);
  });

  it('requests at other queues, which show that a client waits for its replies', async () => {
    await inFolder(async (trace) => {
      const size = { operations: 60_000, processes: 3, rooms: 5, losses: 0.01 };
      await generate({ trace, labels: null, seed: 6, filing: 'index', ...size });
      expectTheSame(trace, undefined);
    });
  });
});

async function inFolder(test: (trace: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'gaptrace-sift-'));
  try {
    await test(join(folder, 'trace.db'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function expectTheSame(path: string, looking: Looking | undefined): void {
  const trace = openTrace(path);
  try {
    const audits = both(trace, looking);
    expect(audits).not.toBeNull();
    expect(audits?.sifted).toEqual(audits?.whole);
  } finally {
    trace.close();
  }
}
