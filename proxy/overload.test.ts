/** A disk slower than the traffic, through the real proxy and a real Redis: dropped and counted, or paused and whole. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ProxyProgram, startProxy } from '../e2e/gaptrace.js';
import { startProxied } from '../e2e/proxied.js';
import { type PrivateRedis, startRedis } from '../e2e/redis.js';
import { Recorder } from './recorder.js';
import { openTrace } from './trace/open.js';

const CONNECTIONS = 8;
const PIPELINE = 4;
const VALUE = 'v'.repeat(16 * 1024);
const SET = `*3\r\n$3\r\nSET\r\n$1\r\na\r\n$${VALUE.length}\r\n${VALUE}\r\n`;
const GET = '*2\r\n$3\r\nGET\r\n$1\r\na\r\n';
const REPLIES = `+OK\r\n$${VALUE.length}\r\n${VALUE}\r\n`;

let directory: string;
let tracePath: string;
let redis: PrivateRedis;
let running: ProxyProgram | null = null;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gaptrace-overload-'));
  tracePath = join(directory, 't.db');
  redis = await startRedis();
});
afterEach(async () => {
  await running?.stop();
  running = null;
  await redis.stop();
  rmSync(directory, { recursive: true });
});

const proxyWith = async (...flags: readonly string[]): Promise<ProxyProgram> => {
  running = await startProxy(redis.url, tracePath, '--memory-limit', '1MB', ...flags);
  return running;
};

/** Sends the pairs of SET and GET, `PIPELINE` at a time; resolves once the last reply has come. */
async function exchange(port: number, pairs: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  let awaited = pairs * REPLIES.length;
  for (let sent = 0; sent < pairs; sent += PIPELINE) {
    socket.write((SET + GET).repeat(PIPELINE));
    for (let due = PIPELINE * REPLIES.length; due > 0; ) {
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      due -= chunk.length;
      awaited -= chunk.length;
    }
  }
  expect(awaited).toBe(0);
  socket.end();
  await once(socket, 'close');
}

/** The same on several connections. Returns the bytes of all of them, both ways. */
async function send(port: number, pairs: number): Promise<number> {
  await Promise.all(Array.from({ length: CONNECTIONS }, () => exchange(port, pairs)));
  return CONNECTIONS * pairs * (SET.length + GET.length + REPLIES.length);
}

function recorded(): { bytes: number; missing: number; pairs: number } {
  const trace = openTrace(tracePath);
  try {
    const [row] = trace.sql(`SELECT
      (SELECT sum(request_length + reply_length) FROM operation) AS bytes,
      (SELECT coalesce(sum(bytes), 0) FROM hole) AS missing,
      (SELECT count(*) / 2 FROM operation) AS pairs`);
    return row as { bytes: number; missing: number; pairs: number };
  } finally {
    trace.close();
  }
}

const peakMegabytes = ({ pid }: ProxyProgram): number =>
  Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

test('drop: forwards at full speed, and what is missing adds up to the byte', async () => {
  const proxy = await proxyWith('--slow-disk', '8MB');
  const before = peakMegabytes(proxy);
  const passed = await send(proxy.port, 240); // 60 MB
  const grown = peakMegabytes(proxy) - before;
  expect((await proxy.stop()).status).toBe(0);
  const { bytes, missing } = recorded();
  expect(missing).toBeGreaterThan(10_000_000);
  expect(bytes + missing).toBe(passed);
  expect(grown).toBeLessThan(60); // the garbage of forwarding, not what was not stored
  // What is left of a frame whose rest was dropped is recorded, and understood by nobody: it is in the hole too.
  const dropped = Number(/bytes not recorded: (\d+)/.exec(proxy.output())?.[1]);
  expect(dropped).toBeGreaterThan(10_000_000);
  expect(dropped).toBeLessThanOrEqual(missing);
});

test('pause: everything arrives and everything is recorded', async () => {
  const proxy = await proxyWith('--slow-disk', '10MB', '--on-overload', 'pause');
  const passed = await send(proxy.port, 60); // 15 MB
  expect((await proxy.stop()).status).toBe(0);
  expect(recorded()).toEqual({ bytes: passed, missing: 0, pairs: CONNECTIONS * 60 });
  expect(proxy.output()).toMatch(
    /bytes not recorded: 0, holes: 0, traffic paused: \d+ times, [\d.]+m?s in all/,
  );
  expect(proxy.output().match(/slower than the traffic/g)).toHaveLength(1);
  const trace = openTrace(tracePath);
  expect(trace.meta.get('on_overload')).toBe('pause');
  expect(Number(trace.meta.get('overload_pauses'))).toBeGreaterThan(1);
  trace.close();
});

test('pause, and a recorder that stores nothing any more: it has failed, and traffic goes on', async () => {
  const recorder = await Recorder.create({
    path: tracePath,
    meta: {},
    onOverload: 'pause',
    memoryLimitBytes: 1024 * 1024,
    patienceMs: 100,
    faults: { storeDelayMs: 600_000 },
  });
  const proxied = await startProxied(redis.url, { recording: recorder });
  recorder.control(proxied.listener);
  const failure = new Promise((resolve) => recorder.onFailure(resolve));
  await send(proxied.port, 20);
  expect(await failure).toMatchObject({ code: 'GAPTRACE_RECORDER_STUCK' });
  expect(await recorder.close()).toMatchObject({ completed: false, pauses: { count: 1 } });
  await proxied.stop();
});

test('pause, and a worker that dies while traffic is paused: traffic goes on', async () => {
  const recorder = await Recorder.create({
    path: tracePath,
    meta: {},
    onOverload: 'pause',
    memoryLimitBytes: 1024 * 1024,
    faults: { storeBytesPerSecond: 4 * 1024 * 1024, throwAfterBlocks: 3 },
  });
  const proxied = await startProxied(redis.url, { recording: recorder });
  const said: string[] = [];
  recorder.control({ pause: () => said.push('pause'), resume: () => said.push('resume') });
  recorder.control(proxied.listener);
  await send(proxied.port, 20);
  expect(recorder.state).toBe('failed');
  expect(said.length).toBeGreaterThanOrEqual(2);
  expect(said.at(-1)).toBe('resume');
  await recorder.close();
  await proxied.stop();
});
