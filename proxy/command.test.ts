/** `gaptrace proxy` as a user runs it: the built program, in a process of its own, before a real Redis. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { gaptrace, startProxy } from '../e2e/gaptrace.js';
import { type Program, ROOT, run, startProgram } from '../e2e/processes.js';
import { RawClient } from '../e2e/proxied.js';
import { startRedis } from '../e2e/redis.js';
import { openTrace } from './trace/open.js';

const CLI = join(ROOT, 'dist/cli.js');
const DONE = /operations recorded: (\d+), bytes not recorded: (\d+), holes: (\d+)/;

let directory: string;
let tracePath: string;
const running: { stop(): Promise<unknown> }[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gaptrace-proxy-'));
  tracePath = join(directory, 't.db');
});

afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
  rmSync(directory, { recursive: true });
});

async function keep<T extends { stop(): Promise<unknown> }>(starting: Promise<T>): Promise<T> {
  const started = await starting;
  running.push(started);
  return started;
}

/** The proxy in a shell of its own: `before` runs first, stderr goes to `err`, stdout alone is `output()`. */
function startInShell(
  before: string,
  env: Readonly<Record<string, string>>,
  ...flags: readonly string[]
): Promise<Program> {
  return startProgram({
    name: 'gaptrace proxy',
    command: 'sh',
    args: [
      '-c',
      `${before} exec "$@" 2>"${join(directory, 'err')}"`,
      'sh',
      process.execPath,
      CLI,
      'proxy',
      ...flags,
    ],
    env,
    ready: /listening on .*:(\d+)\n/,
  });
}

const errors = (): string => readFileSync(join(directory, 'err'), 'utf8');
const portOf = (program: Program): number => Number(program.ready[1]);

test('records a session: one line on stdout, a summary at the end, exit status 0', async () => {
  const redis = await keep(startRedis({ users: ['watcher on >s3cr3t +@all ~* &*'] }));
  const upstream = redis.url.replace('//', '//watcher:s3cr3t@');
  const env = { REDIS_URL: upstream, GAPTRACE_TRACE: tracePath };
  const proxy = await keep(
    startInShell('', env, '--listen', '127.0.0.1:0', '--latency', '2ms', '--jitter', '1ms'),
  );
  const client = new RawClient(portOf(proxy));
  await client.ask('SET a 1\r\n', '+OK\r\n');
  await client.ask('GET a\r\n', '$1\r\n1\r\n');
  expect(await proxy.stop('SIGTERM'), errors()).toEqual({ status: 0, signal: null });
  await client.ended();

  expect(proxy.output()).toBe(`listening on 127.0.0.1:${portOf(proxy)}\n`);
  expect(DONE.exec(errors())?.slice(1)).toEqual(['2', '0', '0']);
  expect(statSync(tracePath).mode & 0o777).toBe(0o600);
  const trace = openTrace(tracePath);
  expect(trace.endMarker).toBe(true);
  expect(Object.fromEntries(trace.meta)).toMatchObject({
    upstream: redis.url,
    listen: `127.0.0.1:${portOf(proxy)}`,
    latency_us: '2000',
    jitter_us: '1000',
    gaptrace_version: expect.any(String),
    node_version: process.version,
    started: expect.any(String),
    observer: 'ok',
    redis_run_id: (await redis.info('server')).run_id,
    redis_maxmemory_policy: 'noeviction',
  });
  expect([...trace.operations()].map(({ command, replyKind }) => [command, replyKind])).toEqual([
    ['SET', 'simple'],
    ['GET', 'bulk'],
  ]);
  expect(trace.connection(1)).toMatchObject({ closedBy: 'proxy', closedHow: 'fin', unflushedToClient: 0 });
  const samples = [...trace.sql("SELECT field FROM redis_sample WHERE field = 'evicted_keys'")];
  expect(samples.length).toBeGreaterThanOrEqual(1);
  trace.close();
  for (const file of readdirSync(directory))
    expect(readFileSync(join(directory, file), 'latin1')).not.toContain('s3cr3t');
});

test('SIGINT drains too; a second one ends at once', async () => {
  const redis = await keep(startRedis());
  const proxy = await keep(
    startInShell('', {}, '--listen', '127.0.0.1:0', '--upstream', redis.url, '--trace', tracePath),
  );
  expect((await proxy.stop('SIGINT')).status).toBe(0);
  expect(errors()).toMatch(DONE);

  // A Redis that hangs does not close its side, so there is time for a second signal.
  const again = await keep(
    startInShell('', {}, '--listen', '127.0.0.1:0', '--upstream', redis.url, '--trace', tracePath),
  );
  const client = new RawClient(portOf(again));
  await client.ask('PING\r\n', '+PONG\r\n');
  process.kill(redis.pid, 'SIGSTOP');
  process.kill(again.pid, 'SIGINT');
  while (!errors().includes('SIGINT: closing')) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(await again.stop('SIGINT')).toEqual({ status: 130, signal: null });
  process.kill(redis.pid, 'SIGCONT');
  expect(errors()).not.toMatch(DONE);
});

test('a Redis that hangs does not keep the proxy from draining', async () => {
  const redis = await keep(startRedis());
  const proxy = await keep(startProxy(redis.url, tracePath));
  const client = new RawClient(proxy.port);
  await client.ask('PING\r\n', '+PONG\r\n');
  process.kill(redis.pid, 'SIGSTOP');
  expect(await proxy.stop(), proxy.output()).toEqual({ status: 0, signal: null });
  process.kill(redis.pid, 'SIGCONT');
  expect(proxy.output()).toMatch(DONE);
});

test('a finished trace is moved aside, an abrupt one too', async () => {
  const redis = await keep(startRedis());
  await (await keep(startProxy(redis.url, tracePath))).stop();
  const second = await keep(startProxy(redis.url, tracePath));
  const client = new RawClient(second.port);
  await client.ask('PING\r\n', '+PONG\r\n');
  await second.stop('SIGKILL');
  const third = await keep(startProxy(redis.url, tracePath));
  expect(third.output()).toMatch(/was there: it is now .*t\.\d{8}T\d{6}Z(\.2)?\.db/);
  await third.stop();
  const traces = readdirSync(directory).filter((name) => name.endsWith('.db'));
  expect(traces).toHaveLength(3);
  expect(readdirSync(directory)).toEqual(traces);
});

test('a trace that another proxy writes, and a file that is no trace, are left alone', async () => {
  const redis = await keep(startRedis());
  const first = await keep(startProxy(redis.url, tracePath));
  const flags = ['proxy', '--listen', '127.0.0.1:0', '--upstream', redis.url];
  const second = await gaptrace(...flags, '--trace', tracePath);
  expect(second).toMatchObject({ status: 2, stdout: '' });
  expect(second.stderr).toMatch(/^gaptrace: .*t\.db.*written.*\n$/);
  const client = new RawClient(first.port);
  await client.ask('PING\r\n', '+PONG\r\n');
  client.socket.destroy();
  expect((await first.stop()).status).toBe(0);

  const other = join(directory, 'notes.txt');
  writeFileSync(other, 'my notes');
  const third = await gaptrace(...flags, '--trace', other);
  expect(third).toMatchObject({ status: 2, stdout: '' });
  expect(third.stderr).toMatch(/^gaptrace: .*notes\.txt.*\n$/);
  expect(readFileSync(other, 'utf8')).toBe('my notes');
  expect(readdirSync(directory).sort()).toEqual(['notes.txt', 't.db']);
});

test('a port that is taken: one clear line, exit status 2, no trace left behind', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const result = await gaptrace('proxy', '--listen', `127.0.0.1:${port}`, '--trace', tracePath);
  server.close();
  expect(result).toMatchObject({ status: 2, stdout: '' });
  expect(result.stderr).toBe(
    `gaptrace: cannot listen on 127.0.0.1:${port}: the port is taken; stop what listens there, or give another one ` +
      '(--listen 127.0.0.1:0 picks a free one)\n',
  );
  expect(existsSync(tracePath)).toBe(false);
});

test.each([
  [
    ['--upstream', 'http://me:s3cr3t@localhost'],
    /^gaptrace: the upstream is not an address of a Redis: .*such as redis:/,
  ],
  [['--listen', '6380'], /^gaptrace: '6380' is not an address to listen on/],
  [['--latency', '2'], /^gaptrace: option '--latency <time>' argument '2' is invalid. '2' is not a duration/],
  [
    ['--memory-limit', '1KB'],
    /^gaptrace: option '--memory-limit <size>' argument '1KB' is invalid. at least 1 MB/,
  ],
  [['--trace', '/nonexistent/t.db'], /^gaptrace: .*\/nonexistent/],
  [
    ['--listen', '127.0.0.1:0', '--lisen', 'x'],
    /^gaptrace: unknown option '--lisen'\n\(Did you mean --listen\?\)/,
  ],
])('%s is refused', async (flags, message) => {
  const result = await gaptrace('proxy', '--listen', '127.0.0.1:0', '--trace', tracePath, ...flags);
  expect(result).toMatchObject({ status: 2, stdout: '' });
  expect(result.stderr).toMatch(message);
  expect(result.stderr).not.toContain('s3cr3t');
  expect(result.stderr).not.toMatch(/\n {4}at /);
  expect(readdirSync(directory)).toEqual([]);
});

test('TLS to a Redis whose CA is given by NODE_EXTRA_CA_CERTS', async () => {
  const redis = await keep(startRedis({ tls: true }));
  const flags = ['--listen', '127.0.0.1:0', '--upstream', redis.url, '--trace', tracePath];
  const proxy = await keep(startInShell('', { NODE_EXTRA_CA_CERTS: redis.caPath ?? '' }, ...flags));
  const client = new RawClient(portOf(proxy));
  await client.ask('PING\r\n', '+PONG\r\n');
  client.socket.destroy();
  expect((await proxy.stop()).status).toBe(0);
  const trace = openTrace(tracePath);
  expect(trace.meta.get('observer')).toBe('ok');
  expect(trace.connection(1)?.upstreamAddress).toBe(redis.url);
  trace.close();
});

test('upstream down: clients are turned away, the trace says why, and the exit status is 0', async () => {
  const redis = await startRedis();
  await redis.stop();
  const proxy = await keep(startProxy(redis.url, tracePath));
  const client = new RawClient(proxy.port);
  await client.closed();
  expect((await proxy.stop()).status).toBe(0);
  expect(proxy.output()).toContain(`cannot connect to ${redis.url}: ECONNREFUSED`);
  const trace = openTrace(tracePath);
  expect(trace.connection(1)).toMatchObject({
    closedBy: 'redis',
    closedHow: 'error',
    closedDetail: 'ECONNREFUSED',
  });
  expect(trace.meta.get('observer')).toBe('unreachable: ECONNREFUSED');
  trace.close();
});

test('a bug on the way does not take the traffic down', async () => {
  const redis = await keep(startRedis());
  const bug = "process.on('SIGUSR2', () => setImmediate(() => { throw new Error('boom') }))";
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(bug)}` };
  const flags = ['--listen', '127.0.0.1:0', '--upstream', redis.url, '--trace', tracePath];
  const proxy = await keep(startInShell('', env, ...flags));
  process.kill(proxy.pid, 'SIGUSR2');
  while (!errors().includes('boom')) await new Promise((resolve) => setTimeout(resolve, 10));
  const client = new RawClient(portOf(proxy));
  await client.ask('PING\r\n', '+PONG\r\n');
  client.socket.destroy();
  expect(await proxy.stop()).toEqual({ status: 1, signal: null });
  expect(errors()).toMatch(/a bug in gaptrace, traffic goes on: Error: boom\n {4}at /);
  expect(errors()).toMatch(DONE);
});

test('a full disk: traffic goes on, the log and the exit status say that recording failed', async () => {
  const redis = await keep(startRedis());
  // A limit on the size of files stands for the disk; without the trap its signal would end the process.
  const limit = "trap '' XFSZ; ulimit -f 600;";
  const flags = ['--listen', '127.0.0.1:0', '--upstream', redis.url, '--trace', tracePath];
  const proxy = await keep(startInShell(limit, {}, ...flags));
  const benchmark = [
    '-p',
    String(portOf(proxy)),
    '-t',
    'set',
    '-n',
    '20000',
    '-d',
    '200',
    '-c',
    '10',
    '-P',
    '16',
    '-q',
  ];
  expect((await run('redis-benchmark', benchmark)).status).toBe(0);
  while (!errors().includes('RECORDING HAS FAILED')) await new Promise((resolve) => setTimeout(resolve, 10));
  const client = new RawClient(portOf(proxy));
  await client.ask('PING\r\n', '+PONG\r\n');
  client.socket.destroy();
  expect(await proxy.stop()).toEqual({ status: 1, signal: null });
  expect(errors()).toMatch(/gaptrace: RECORDING FAILED: .*no end marker\n$/);
});
