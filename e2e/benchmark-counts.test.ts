import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ProxyProgram, select, startProxy } from './gaptrace.js';
import { run } from './processes.js';
import { type PrivateRedis, startRedis } from './redis.js';

const COMMANDS = ['SET', 'INCR', 'ZADD'];
const REQUESTS = 200_000;

let directory: string;
let redis: PrivateRedis;
let proxy: ProxyProgram;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gaptrace-counts-'));
  redis = await startRedis();
  proxy = await startProxy(redis.url, join(directory, 't.db'));
});

afterEach(async () => {
  await proxy?.stop();
  await redis?.stop();
  rmSync(directory, { recursive: true });
});

test('nothing recorded is lost under redis-benchmark -c 50 -P 16', async () => {
  const direct = redis.client();
  await direct.config('RESETSTAT');
  const benchmark = await run('redis-benchmark', [
    ...['-p', String(proxy.port), '-t', COMMANDS.join(',').toLowerCase(), '-n', String(REQUESTS)],
    ...['-c', '50', '-P', '16', '-r', '1000', '-q'],
  ]);
  expect(benchmark).toMatchObject({ status: 0 });
  const exit = await proxy.stop();
  expect(exit, proxy.output()).toEqual({ status: 0, signal: null });

  // Redis counts what it has executed, also for a client that was gone before its replies could reach it.
  const stats = await redis.info('commandstats');
  const calls = Object.fromEntries(
    COMMANDS.map((command) => {
      const calls = /^calls=(\d+),/.exec(stats[`cmdstat_${command.toLowerCase()}`] ?? '');
      return [command, Number(calls?.[1])];
    }),
  );
  for (const command of COMMANDS) expect(calls[command]).toBeGreaterThanOrEqual(REQUESTS);

  const rows = await select<{ command: string; answered: number }>(
    join(directory, 't.db'),
    `SELECT command, count(*) AS answered FROM operations
     WHERE reply_length > 0 AND command IN (${COMMANDS.map((command) => `'${command}'`).join(', ')}) GROUP BY command`,
  );
  expect(Object.fromEntries(rows.map((row) => [row.command, row.answered])), proxy.output()).toEqual(calls);
  expect(await select(join(directory, 't.db'), 'SELECT * FROM hole')).toEqual([]);
}, 240_000);
