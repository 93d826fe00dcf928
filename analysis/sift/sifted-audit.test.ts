import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generate } from '../../generate/generate.js';
import { importCapture } from '../../proxy/import/import.js';
import { openTrace } from '../../proxy/trace/open.js';
import type { Trace } from '../../proxy/trace/trace.js';
import { audit } from '../audit.js';
import { DEFAULT_FIELDS } from '../payload.js';
import { CutTrace } from '../testing/cut-trace.js';
import { randomCuts, randomJourneys } from '../testing/random-journeys.js';
import { siftedAudit } from './sifted-audit.js';
import type { Looking } from './suspects.js';

/** Looks that often do not see enough, and see no more than they must. */
const SMALL: Looking = {
  looksUs: [
    [10_000, 20_000],
    [20_000, 60_000],
    [150_000, 700_000],
  ],
  fewForEach: 0,
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
