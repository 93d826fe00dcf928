import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type PrivateRedis, startRedis } from '../demo/redis.js';
import { faultsOf } from './confusion.js';
import { playRun } from './play.js';
import { SCENARIOS } from './scenarios/index.js';

// A small sample of `make accuracy`: each scenario once, real Redis, real proxy, every verdict against what the consumers really processed.

let redis: PrivateRedis;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gaptrace-accuracy-'));
  redis = await startRedis();
});
beforeEach(() => redis.client().flushall());
afterAll(async () => {
  await redis.stop();
  rmSync(directory, { recursive: true });
});

describe('no wrong accusation, no silent miss, and the checker agrees', () => {
  test.each(SCENARIOS)('$name ($plays)', async (scenario) => {
    const run = await playRun(scenario, 1, redis, { directory, keep: false });
    expect(faultsOf(run)).toEqual([]);
    // Here and there one may be undecided; the cause that the scenario makes is found all the same.
    const found = run.whole.filter(({ fate, score }) => fate.fate !== 'left' && score === 'right');
    const causes = new Set(found.flatMap(({ fate }) => (fate.fate === 'left' ? [] : fate.causes)));
    if (scenario.makes !== undefined) expect(causes).toContain(scenario.makes);
  });
});
