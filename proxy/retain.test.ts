/** `gaptrace proxy --retain`, in front of a real Redis: the trace stays small while traffic goes on, and can be asked at any time. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { gaptrace, startProxy } from '../e2e/gaptrace.js';
import { RawClient } from '../e2e/proxied.js';
import { startRedis } from '../e2e/redis.js';
import { openTrace } from './trace/open.js';

const ROUNDS = 40;
const PER_ROUND = 50;
const VALUE = 'v'.repeat(4000);
const LIMIT = 1024 * 1024;

let directory: string;
let tracePath: string;
const running: { stop(): Promise<unknown> }[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gaptrace-retain-'));
  tracePath = join(directory, 't.db');
});
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
  rmSync(directory, { recursive: true });
});

function set(key: string): string {
  return `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${VALUE.length}\r\n${VALUE}\r\n`;
}

test('eight times its size passes, and the trace has the last of it', async () => {
  const redis = await startRedis();
  running.push(redis);
  const proxy = await startProxy(redis.url, tracePath, '--retain', '1MB', '--retain', '1h');
  running.push(proxy);
  const waiting = new RawClient(proxy.port);
  waiting.socket.write('*3\r\n$5\r\nBLPOP\r\n$4\r\nlist\r\n$1\r\n0\r\n');
  const client = new RawClient(proxy.port);
  const trace = openTrace(tracePath);
  const indexed = (): number => Number([...trace.sql('SELECT max(id) AS n FROM operation')][0]?.n);
  for (let round = 0; round < ROUNDS; round++) {
    for (let n = 0; n < PER_ROUND; n++) client.socket.write(set(`key:${round}:${n}`));
    while (indexed() < 1 + (round + 1) * PER_ROUND) await new Promise((resolve) => setTimeout(resolve, 2));
  }

  // A cut may be under way: what it has said is true at each moment.
  trace.snapshot(() => {
    const fromUs = Number(trace.meta.get('retained_from_us'));
    expect(fromUs).toBeGreaterThan(0);
    expect([...trace.holes()]).toMatchObject([
      { fromUs: 0, toUs: fromUs, connection: null, reason: 'retention' },
    ]);
    expect([...trace.operations({ key: `key:${ROUNDS - 1}:*` })]).toHaveLength(PER_ROUND);
  });
  trace.close();

  waiting.socket.destroy();
  client.socket.destroy();
  expect((await proxy.stop()).status).toBe(0);
  expect(proxy.output()).toContain(
    `operations recorded: ${1 + ROUNDS * PER_ROUND}, bytes not recorded: 0, holes: 0 `,
  );
  expect(statSync(tracePath).size).toBeLessThan(2.5 * LIMIT); // the size itself, and blocks that waited to be indexed
  const kept = openTrace(tracePath);
  const [first, second] = [...kept.operations()];
  expect(first).toMatchObject({ id: 1, command: 'BLPOP', repliedUs: null });
  expect(second?.id).toBeGreaterThan((ROUNDS * PER_ROUND) / 2);
  expect(second?.repliedUs).toBeGreaterThanOrEqual(Number(kept.meta.get('retained_from_us')));
  expect([...kept.operations({ key: 'key:3:*' })]).toEqual([]);
  expect(kept.meta.get('retain')).toBe('1MB 1h');
  kept.close();
  const audited = await gaptrace('audit', tracePath);
  expect(audited.stdout).toMatch(/the oldest was dropped: it begins at \+\d+\.\d+s/);
  const queried = await gaptrace('query', tracePath, '--limit', '1');
  expect(queried.stdout).toContain('BLPOP list');
  expect(queried.stderr).toMatch(/^the trace begins at \+\d+\.\d+s: what was older has been dropped/);
  const asked = await gaptrace('analyze-gap', tracePath, '--sender', 'anna', '--count', '7');
  expect(asked.status).toBe(3);
  expect(asked.stdout).toMatch(/begins at .*--retain.*has\s+no message of sender anna/s);
});

test.each([
  ['1KB', /argument '1KB' is invalid. at least 1 MB/],
  ['5ms', /argument '5ms' is invalid. at least 1s/],
])('--retain %s is refused', async (value, message) => {
  const { status, stderr } = await gaptrace(
    'proxy',
    '--listen',
    '127.0.0.1:0',
    '--trace',
    tracePath,
    '--retain',
    value,
  );
  expect([status, stderr]).toEqual([2, expect.stringMatching(message)]);
});
