import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Finding } from '../analysis/finding.js';
import { memberOf, QUEUE } from '../analysis/testing/scripted-trace.js';
import { type ProxyProgram, startProxy } from './gaptrace.js';
import { ROOT } from './processes.js';
import { type PrivateRedis, startRedis } from './redis.js';

// analyze-gap --follow on a trace that a proxy is writing. The layer is played on plain connections, command by command as
// channels_redis 4.0.0 says them, so that each test decides when the trace decides.

const BACKUP = `${QUEUE}$inflight`;

let directory: string;
let redis: PrivateRedis;
let proxy: ProxyProgram;
let trace: string;
/** One connection of the layer through the proxy, and another. */
let layer: Redis;
let cancelled: Redis;
let followers: Follower[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gaptrace-follow-'));
  trace = join(directory, 't.db');
  redis = await startRedis();
  proxy = await startProxy(redis.url, trace);
  layer = redis.client({ port: proxy.port });
  cancelled = redis.client({ port: proxy.port });
  followers = [];
  for (const count of [0, 1]) await healthy(count);
});

afterEach(async () => {
  for (const follower of followers) follower.kill();
  await proxy?.stop();
  await redis?.stop();
  rmSync(directory, { recursive: true });
});

const send = (count: number) => layer.zadd(QUEUE, count, memberOf('s', count));
/** The receive step that comes first in each cycle: what is in the backup goes back. */
const restore = () => layer.eval('return 0', 0, QUEUE, BACKUP);

async function receive(count: number): Promise<void> {
  await restore();
  await layer.bzpopmin(QUEUE, 5);
  await layer.zadd(BACKUP, count, memberOf('s', count));
  await layer.zpopmin(BACKUP);
}

async function healthy(count: number): Promise<void> {
  await send(count);
  await receive(count);
}

/** Popped, and the connection closed: popped-then-disconnected as soon as the queue goes on. */
async function lose(count: number): Promise<void> {
  await send(count);
  const id = String(await cancelled.client('ID'));
  await cancelled.bzpopmin(QUEUE, 5);
  cancelled.disconnect();
  // The proxy has passed the close on to Redis: it is in the trace before what comes next.
  const direct = redis.client();
  await expect.poll(() => direct.client('LIST', 'ID', id)).toBe('');
}

const line = (event: object) =>
  `${JSON.stringify({ schema: 1, client: 'c', room: 'r', sender: 's', ...event })}\n`;
const gap = (count: number, more: object = {}) =>
  line({ event: 'gap', expected: count, received: count + 1, missing: [count], ...more });
const received = (...counts: number[]) => counts.map((count) => line({ event: 'recv', count })).join('');

/** A running `analyze-gap --follow`. */
class Follower {
  readonly #child;
  readonly #ended: Promise<unknown[]>;
  stdout = '';
  stderr = '';

  constructor(...args: readonly string[]) {
    this.#child = spawn(process.execPath, [join(ROOT, 'dist/analyze-gap.js'), trace, '--follow', ...args]);
    this.#ended = once(this.#child, 'close');
    this.#child.stdout.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString();
    });
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    followers.push(this);
  }

  say(lines: string): void {
    this.#child.stdin.write(lines);
  }

  endInput(): void {
    this.#child.stdin.end();
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#child.kill(signal);
  }

  /** Exit status, once it has ended by itself or by `kill`. */
  async status(): Promise<unknown> {
    const [status] = await this.#ended;
    return status;
  }

  findings(): Finding[] {
    return this.stdout
      .split('\n')
      .slice(0, -1)
      .map((json) => JSON.parse(json) as Finding);
  }

  /** Resolves when so many findings are there. */
  async found(n: number): Promise<Finding[]> {
    await expect.poll(() => this.findings().length, { message: this.stderr }).toBe(n);
    return this.findings();
  }
}

describe('gap reports on standard input', () => {
  test('are answered when the trace decides them, long before patience ends', async () => {
    const follower = new Follower('--json', '--patience', '1h');
    await lose(2);
    follower.say(gap(2) + gap(2));
    // Another message that the trace decides: when it is answered, the first has been looked at too, and is open still.
    follower.say(gap(1, { sender: 'x' }));
    await restore();
    await healthy(3);
    expect(await follower.found(1)).toMatchObject([
      { count: 2, verdict: 'lost', cause: 'popped-then-disconnected', reported_by: ['c'], room: 'r' },
    ]);
    follower.kill('SIGINT');
    expect(await follower.status()).toBe(130);
    expect(follower.findings()).toMatchObject([{ count: 2 }, { sender: 'x', verdict: 'indeterminate' }]);
  });

  test('are answered as far as it is known when patience ends; the end of the input waits for that', async () => {
    const follower = new Follower('--patience', '1s');
    await lose(2);
    follower.say(gap(2));
    follower.endInput();
    expect(await follower.status()).toBe(3);
    expect(follower.stdout).toMatch(/^IN-FLIGHT {2}message 2 of sender s, r, missed by c\n\n/);
    expect(follower.stdout).toMatch(/\nMessages: 0 lost, 1 in-flight\.\n$/);
  });

  test('SIGTERM ends it too', async () => {
    const follower = new Follower('--json', '--patience', '1h');
    await lose(2);
    await healthy(3);
    follower.say(gap(2));
    await follower.found(1);
    follower.kill('SIGTERM');
    expect(await follower.status()).toBe(143);
  });

  test('a line that is broken: what waits is answered, then it is named', async () => {
    const follower = new Follower('--json', '--patience', '1s');
    await lose(2);
    follower.say(gap(2));
    await restore();
    follower.say('{"event":\n');
    expect(await follower.status()).toBe(2);
    expect(follower.findings()).toMatchObject([{ count: 2, verdict: 'lost' }]);
    expect(follower.stderr).toMatch(/^gaptrace: standard input, line 2: not JSON/);
  });

  test('after a proxy that was killed: its trace is completed, and answers', async () => {
    const follower = new Follower('--json', '--patience', '1h');
    await lose(2);
    await healthy(3);
    follower.say(gap(2));
    await follower.found(1);
    await proxy.stop('SIGKILL');
    follower.say(gap(2, { client: 'd' }));
    follower.endInput();
    expect(await follower.status(), follower.stderr).toBe(1);
    expect(follower.findings()[1]).toMatchObject({ count: 2, verdict: 'lost', reported_by: ['c', 'd'] });
  });
});

describe('a client log that grows', () => {
  test('gaps show as they come; the end of the trace ends it, with the worst verdict', async () => {
    const log = join(directory, 'client.jsonl');
    writeFileSync(log, received(0, 1));
    const follower = new Follower('--gaps', log, '--json', '--patience', '2s');
    await lose(2);
    await healthy(3);
    appendFileSync(log, received(3).slice(0, 20));
    appendFileSync(log, received(3).slice(20));
    expect(await follower.found(1)).toMatchObject([
      { count: 2, cause: 'popped-then-disconnected', reported_by: ['c'] },
    ]);
    expect(await proxy.stop()).toMatchObject({ status: 0 });
    expect(await follower.status()).toBe(1);
    expect(follower.findings()).toHaveLength(1);
  });

  test('what is only late is no question: nothing lost', async () => {
    const log = join(directory, 'client.jsonl');
    writeFileSync(log, received(0, 3, 1, 2));
    const follower = new Follower('--gaps', log, '--patience', '1s');
    await proxy.stop();
    expect(await follower.status(), follower.stderr).toBe(0);
    expect(follower.stdout).toBe('Messages: 0 lost. Missed and received after all: 2.\n');
  });

  test('one that gets shorter is refused', async () => {
    const log = join(directory, 'client.jsonl');
    writeFileSync(log, received(0, 1));
    const follower = new Follower('--gaps', log, '--json', '--patience', '1s');
    await lose(2);
    await healthy(3);
    appendFileSync(log, received(3));
    await follower.found(1);
    writeFileSync(log, '');
    expect(await follower.status()).toBe(2);
    expect(follower.stderr).toMatch(/cannot follow .*client\.jsonl: it got shorter/);
  });
});

test.each([
  [['--sender', 's', '--count', '1'], /--follow takes gaps as they come in/],
  [['--format', 'junit'], /--format junit is a report of a whole run/],
  [['--patience', 'soon'], /'soon' is not a duration/],
  [['--gaps', 'absent.jsonl'], /cannot read absent\.jsonl: no such file/],
])('--follow %j is refused', async (args, message) => {
  const follower = new Follower(...args);
  expect(await follower.status()).toBe(2);
  expect(follower.stdout).toBe('');
  expect(follower.stderr).toMatch(message);
});
