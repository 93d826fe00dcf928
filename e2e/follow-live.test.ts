import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import type { Analysis } from '../analysis/analyze.js';
import type { Finding } from '../analysis/finding.js';
import { isLoss } from '../analysis/verdict.js';
import { eventLine } from '../clients/client-log.js';
import { runSwarm } from '../clients/swarm.js';
import { startChatServer } from './chat-server.js';
import { gaptrace, startProxy } from './gaptrace.js';
import { ROOT } from './processes.js';
import { startRedis } from './redis.js';

/** The losses. (What came late is said while it happens, and is no gap any more when the log is whole.) */
const lossesIn = (findings: readonly Finding[]) =>
  findings
    .filter(({ verdict }) => isLoss(verdict))
    .map(({ sender, count, verdict, cause }) => `${sender} ${count} ${verdict} ${cause}`)
    .sort();

// The losses are real: our server on its redis layer, which loses messages as channels_redis 4 does when clients come and go.
test('what --follow says while it happens is what the finished trace says', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'gaptrace-live-'));
  const trace = join(directory, 't.db');
  const log = join(directory, 'clients.jsonl');
  writeFileSync(log, '');
  const redis = await startRedis();
  const proxy = await startProxy(redis.url, trace, '--latency', '2ms');
  const server = await startChatServer('--redis', proxy.url, '--capacity', '100000');
  const args = [join(ROOT, 'dist/analyze-gap.js'), trace, '--follow', '--gaps', log, '--json'];
  const follower = spawn(process.execPath, args);
  const ended = once(follower, 'close');
  try {
    const said = text(follower.stdout);
    const swarm = await runSwarm({
      ...{ url: server.url, churn: 3, lifetimeUs: 300_000, untilGap: true, forUs: 120_000_000 },
      onEvent: (event) => appendFileSync(log, `${eventLine(event)}\n`),
    });
    expect(swarm).toMatchObject({ ended: 'gap', errors: 0 });
    await server.stop();
    await proxy.stop();
    expect(await ended).toEqual([1, null]);
    const lines = (await said).split('\n').slice(0, -1);
    const live = lossesIn(lines.map((line) => JSON.parse(line) as Finding));
    const after = await gaptrace('analyze-gap', trace, '--gaps', log, '--json');
    expect(live.length).toBeGreaterThan(0);
    expect(live).toEqual(lossesIn((JSON.parse(after.stdout) as Analysis).findings));
  } finally {
    follower.kill('SIGKILL');
    await server.stop();
    await proxy.stop();
    await redis.stop();
    rmSync(directory, { recursive: true });
  }
}, 240_000);
