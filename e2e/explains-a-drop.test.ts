import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventLine } from '../clients/client-log.js';
import { readGapReports } from '../clients/gap-report.js';
import { runSwarm } from '../clients/swarm.js';
import { type DjangoServer, startDjango } from './django.js';
import { gaptrace, type ProxyProgram, select, startProxy } from './gaptrace.js';
import { type PrivateRedis, startRedis } from './redis.js';

// The whole way, with nothing simulated: Redis, the proxy, Django Channels with channels_redis, clients that come and
// go. The layer of Debian (channels_redis 4.0.0, redis-py 4.3.4) loses messages by popped-then-disconnected.

interface Analysis {
  readonly summary: { readonly lost: number };
  readonly findings: readonly {
    readonly sender: string;
    readonly count: number;
    readonly room: string;
    readonly reported_by: readonly string[];
    readonly verdict: string;
    readonly cause: string;
    readonly operations: readonly {
      readonly id: number;
      readonly role: string;
      readonly connection: number;
      readonly command: string;
    }[];
    readonly events: readonly {
      readonly connection: number;
      readonly event: string;
      readonly by: string;
      readonly at_us: number;
    }[];
  }[];
}

let directory: string;
let redis: PrivateRedis;
let proxy: ProxyProgram;
let daphne: DjangoServer;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gaptrace-django-'));
  redis = await startRedis();
  proxy = await startProxy(redis.url, join(directory, 't.db'), '--latency', '2ms');
  // With 2 ms each way the server cannot keep up with these clients: its queue grows by some 30 messages a second and
  // at the usual capacity of 1000 it overflows after half a minute. A run of bad luck must not bring in that cause too.
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

test('a message that Django Channels drops is explained', async () => {
  const lines: string[] = [];
  const swarm = await runSwarm({
    ...{ url: daphne.url, churn: 2, lifetimeUs: 500_000, untilGap: true, forUs: 180_000_000 },
    onEvent: (event) => lines.push(eventLine(event)),
  });
  expect(swarm, JSON.stringify(swarm)).toMatchObject({ ended: 'gap', errors: 0 });
  await sleep(1_000); // what is on its way to the last client arrives
  await daphne.stop();
  expect(await proxy.stop(), proxy.output()).toEqual({ status: 0, signal: null });
  await redis.stop();

  const trace = join(directory, 't.db');
  const log = join(directory, 'clients.jsonl');
  writeFileSync(log, `${lines.join('\n')}\n`);
  const { gaps } = await readGapReports(lines);
  const missed = new Set(gaps.flatMap((gap) => gap.missing.map((count) => `${gap.sender} ${count}`)));
  expect(missed.size).toBeGreaterThan(0);

  const analysis = await gaptrace('analyze-gap', trace, '--gaps', log, '--json');
  expect(analysis, analysis.stderr).toMatchObject({ status: 1 });
  const { findings, summary } = JSON.parse(analysis.stdout) as Analysis;
  expect(new Set(findings.map((finding) => `${finding.sender} ${finding.count}`))).toEqual(missed);
  expect(summary.lost).toBe(missed.size);
  for (const finding of findings) {
    expect(finding).toMatchObject({ verdict: 'lost', cause: 'popped-then-disconnected' });
    // The last one: a message may have been popped, put back and popped again before it was lost.
    const pop = finding.operations.findLast((operation) => operation.role === 'pop');
    expect(pop).toMatchObject({ command: 'BZPOPMIN' });

    // What it names is in the trace, and is what it says: the pop took this message, and its connection was closed
    // after it was asked for (often after the reply, but the close may have been on its way when Redis answered).
    const [row] = await select<Record<string, unknown>>(
      trace,
      `SELECT o.command, c.closed_by, c.closed_us - o.requested_us AS after_us,
              instr(o.reply, CAST('"my_id":"${finding.sender}","count":${finding.count}}' AS BLOB)) > 0 AS took_it
       FROM operations o JOIN connection c ON c.id = o.connection WHERE o.id = ${pop?.id}`,
    );
    expect(row).toMatchObject({ command: 'BZPOPMIN', closed_by: 'client', took_it: 1 });
    expect(row?.after_us).toBeGreaterThan(0);
    expect(finding.events).toContainEqual(
      expect.objectContaining({ connection: pop?.connection, event: 'closed', by: 'client' }),
    );
  }
}, 300_000);
