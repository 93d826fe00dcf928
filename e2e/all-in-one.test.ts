/** What the container runs (Dockerfile), and what `make run` and its like run, without a container. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stopUvicorn } from './django.js';
import { select } from './gaptrace.js';
import { Member } from './member.js';
import { type Program, ROOT, run, startProgram } from './processes.js';
import { freePort, startRedis } from './redis.js';

let directory: string;
let program: Program | undefined;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gaptrace-all-'));
});
afterEach(async () => {
  await program?.stop();
  program = undefined;
  await rm(directory, { recursive: true, force: true });
});

const READY = {
  typescript: /^listening on 127\.0\.0\.1:\d+/m,
  daphne: /Listening on TCP address/,
  uvicorn: /Uvicorn running on/,
};

async function start(script: string, args: readonly string[], env: Record<string, string>, ready: RegExp) {
  const port = String(await freePort());
  program = await startProgram({
    name: script,
    command: join(ROOT, 'scripts', script),
    args,
    env: { PORT: port, HOST: '127.0.0.1', ...env },
    ready,
  });
  return { program, url: `ws://127.0.0.1:${port}` };
}

async function talk(url: string): Promise<void> {
  const [ann, bob] = [await Member.join(url, 'room_a'), await Member.join(url, 'room_a')];
  ann.say('{"my_id": "a", "count": 0}');
  expect(await bob.hears()).toBe('{"my_id": "a", "count": 0}');
  await Promise.all([ann.leave(), bob.leave()]);
}

test.each(['typescript', 'daphne'] as const)(
  'Redis, proxy and %s in one: a room, a trace, and one end',
  async (server) => {
    const trace = join(directory, 'trace.db');
    const started = await start('all-in-one.sh', [], { SERVER: server, TRACE: trace }, READY[server]);
    await talk(started.url);
    const { pid } = started.program;
    expect(await started.program.stop('SIGTERM')).toEqual({ status: 0, signal: null });
    const left = await run('ps', ['-o', 'pid=', '--ppid', String(pid)]);
    expect(left.stdout).toBe('');
    await expect(Member.join(started.url, 'room_a')).rejects.toThrow('ECONNREFUSED');
    const [row] = await select<{ n: number }>(
      trace,
      "SELECT count(*) AS n FROM operations WHERE command = 'BZPOPMIN'",
    );
    expect(row?.n).toBeGreaterThan(0);
  },
);

test.each(['typescript', 'daphne', 'uvicorn'] as const)(
  'run.sh %s brings a Redis where there is none, and takes it along',
  async (server) => {
    const redisPort = await freePort();
    const env = { REDIS_URL: `redis://127.0.0.1:${redisPort}` };
    const started = await start('run.sh', [server], env, READY[server]);
    await talk(started.url);
    // uvicorn may wait for ever for a consumer (swallowed-cancel.test.ts), and ends at the second signal.
    const ended =
      server === 'uvicorn'
        ? stopUvicorn(started.program, 'SIGTERM', 'SIGTERM')
        : started.program.stop('SIGTERM');
    expect((await ended).signal).toBeNull();
    await expect(startRedis({ port: redisPort }).then((own) => own.stop())).resolves.toBeUndefined(); // the port is free again
  },
);

test('run.sh of nothing that there is', async () => {
  expect(await run(join(ROOT, 'scripts/run.sh'), ['twisted'])).toMatchObject({ status: 2, stdout: '' });
});
