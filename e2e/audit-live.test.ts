import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Audit } from '../analysis/audit.js';
import { runSwarm } from '../clients/swarm.js';
import { type DjangoServer, startDjango } from './django.js';
import { gaptrace, type ProxyProgram, startProxy } from './gaptrace.js';
import { type PrivateRedis, startRedis } from './redis.js';

// The four questions of django/channels#1683, asked of Django Channels itself (channels_redis 4.0.0, redis-py 4.3.4) while clients come
// and go: Redis, the proxy, daphne and a swarm, nothing simulated.

let directory: string;
let redis: PrivateRedis;
let proxy: ProxyProgram;
let daphne: DjangoServer;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gaptrace-audit-live-'));
  redis = await startRedis();
  proxy = await startProxy(redis.url, join(directory, 't.db'), '--latency', '2ms');
  daphne = await startDjango(proxy.url, { env: { LAYER_CAPACITY: '100000' } });
});

afterEach(async ({ task }) => {
  await daphne?.stop();
  await proxy?.stop();
  await redis?.stop();
  if (task.result?.state === 'fail')
    console.error(`daphne:\n${daphne?.output()}\nproxy:\n${proxy?.output()}\nredis:\n${redis?.log()}`);
  rmSync(directory, { recursive: true });
});

/** So many different messages missed, and what they have in common is no chance. */
const ENOUGH = 5;

test('a live swarm on Django Channels: the four answers', async () => {
  const missed = new Set<string>();
  const enough = new AbortController();
  const swarm = await runSwarm({
    ...{ url: daphne.url, churn: 2, lifetimeUs: 500_000, forUs: 300_000_000, signal: enough.signal },
    onEvent: (event) => {
      if (event.event !== 'gap') return;
      for (const count of event.missing) missed.add(`${event.sender} ${count}`);
      if (missed.size >= ENOUGH) enough.abort();
    },
  });
  expect(swarm, JSON.stringify(swarm)).toMatchObject({ ended: 'stopped', errors: 0 });
  await sleep(1_000); // what is on its way arrives
  await daphne.stop();
  expect(await proxy.stop(), proxy.output()).toEqual({ status: 0, signal: null });
  await redis.stop();

  const { status, stdout, stderr } = await gaptrace('audit', join(directory, 't.db'), '--json');
  expect(status, stderr).toBe(1);
  const { answers, clusters, per_minute: minutes, totals } = JSON.parse(stdout) as Audit;
  console.log(answers.map(({ question, answer }) => `${question}\n${answer}\n`).join('\n'));
  expect(totals.causes['popped-then-disconnected']).toBeGreaterThanOrEqual(ENOUGH);
  const lost = clusters.flatMap(({ losses }) => losses.map(({ sender, count }) => `${sender} ${count}`));
  expect(lost).toEqual(expect.arrayContaining([...missed]));
  // Daphne says who came. Each of them left, but for those that were cut short when the server was stopped.
  const came = daphne.output().match(/WSCONNECTING/g)?.length ?? 0;
  const left = minutes.reduce((sum, { disconnects }) => sum + disconnects, 0);
  expect(left).toBeGreaterThan(came / 2);
  expect(left).toBeLessThanOrEqual(came);

  expect(answers.map(({ answered }) => answered)).toEqual([true, true, true, false]);
  expect(answers[0]?.answer).toContain('they share a queue');
  expect(answers[1]).toMatchObject({ figures: { departed_who_lost_something: 0 } });
  expect(answers[2]?.answer).toMatch(/^Yes/);
}, 420_000);
