import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readGapReports } from '../clients/gap-report.js';
import { TestChatServer } from '../clients/testing/chat-server.js';
import { readLines } from '../terminal/lines.js';
import { startDjango } from './django.js';
import { gaptrace } from './gaptrace.js';
import { type Exit, type Program, ROOT, startProgram } from './processes.js';
import { type PrivateRedis, startRedis } from './redis.js';

// Testers and servers trade places: a tester that somebody else might have written (python_tester.py) and ours, with the
// Django server under daphne and under uvicorn, and with ours.

const CLI = join(ROOT, 'dist/cli.js');
const NOBODY = 'ws://127.0.0.1:1';

/** The other tester, joined to a room. It ends by itself only at a gap. */
function pythonTester(url: string, room: string, name: string): Promise<Program> {
  return startProgram({
    name,
    command: '/usr/bin/python3',
    args: [join(ROOT, 'e2e/python_tester.py'), `${url}/ws/chat/${room}/`],
    env: { PYTHONDONTWRITEBYTECODE: '1' },
    ready: /"my_id"/, // it hears somebody
  });
}

function ourTester(url: string, room: string, ...more: readonly string[]): Promise<Program> {
  return startProgram({
    name: 'gaptrace client',
    command: process.execPath,
    args: [CLI, 'client', room, '--url', url, ...more],
    ready: /joined ws:/,
  });
}

async function startServer(redisUrl: string): Promise<Program & { readonly url: string }> {
  const program = await startProgram({
    name: 'gaptrace server',
    command: process.execPath,
    args: [CLI, 'server', '--port', '0', '--redis', redisUrl],
    ready: /^listening on (127\.0\.0\.1:\d+)\n/m,
  });
  return { ...program, url: `ws://${program.ready[1]}` };
}

/** Who was heard, and how often, in what a tester has printed. */
function heard(output: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [, sender = ''] of output.matchAll(/"my_id": ?"([0-9a-f-]{36})"/g))
    counts.set(sender, (counts.get(sender) ?? 0) + 1);
  return counts;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** How a program ended that ends by itself. */
async function endOf(program: Program): Promise<Exit> {
  await until(() => {
    try {
      return !process.kill(program.pid, 0);
    } catch {
      return true; // there is no such process any more
    }
  });
  return program.stop();
}

let redis: PrivateRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.stop());

const SERVERS = {
  'Django under daphne': () => startDjango(redis.url),
  'Django under uvicorn': () => startDjango(redis.url, { by: 'uvicorn' }),
  'gaptrace server': () => startServer(redis.url),
} as const;

describe.each(Object.entries(SERVERS))('%s', (_, start) => {
  let server: Program & { readonly url: string };
  beforeEach(async () => {
    server = await start();
  });
  afterEach(() => server?.stop());

  it('serves their tester and ours alike', async () => {
    const ours = await ourTester(server.url, 'lobby');
    const theirs = await Promise.all(
      ['first', 'second'].map((name) => pythonTester(server.url, 'lobby', name)),
    );
    const testers = [ours, ...theirs];
    // Each hears the two others, ten times and more.
    const enough = ({ output }: Program): boolean =>
      heard(output()).size === 2 && Math.min(...heard(output()).values()) >= 10;
    await until(() => testers.every(enough));
    for (const tester of testers) expect(tester.output()).not.toContain('ERROR');
    expect(await ours.stop('SIGINT')).toEqual({ status: 130, signal: null });
    expect(ours.output()).toMatch(/sent \d+, received \d+, gaps 0, duplicates 0, reorderings 0\n$/);
    for (const tester of theirs) expect(await tester.stop()).toEqual({ status: null, signal: 'SIGTERM' });
  });

  it('loses nothing when nobody comes or goes', async () => {
    const swarm = await gaptrace('swarm', '--url', server.url, '--churn', '0', '--for', '3s', '--json');
    expect(swarm, swarm.stderr).toMatchObject({ status: 0, stderr: '' });
    const { ended, clients, total } = JSON.parse(swarm.stdout) as Record<string, unknown>;
    expect({ ended, clients }).toEqual({ ended: 'time', clients: 5 });
    expect(total).toMatchObject({ gaps: 0, missed: 0, duplicates: 0, reorderings: 0, unheard: 0 });
  });

  it('may be gone, or refuse: that is said clearly', async () => {
    const refused = await gaptrace('client', 'no room', '--url', server.url);
    expect(refused).toMatchObject({ status: 2, stdout: '' });
    expect(refused.stderr).toMatch(
      /gaptrace: .*\/no%20room\/: (the server refused it: HTTP 500 \(|.* server: 1008 \(policy violation\)).*\n$/,
    );
    const client = await ourTester(server.url, 'lobby');
    await server.stop();
    expect(await endOf(client)).toEqual({ status: 2, signal: null });
    expect(client.output()).toMatch(/gaptrace: .*: the connection was closed by the server: 1\d{3} \(/);
  });
});

// No real server loses the message that a test has in mind.
describe('a message is dropped', () => {
  let server: TestChatServer;
  let directory: string;
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'gaptrace-testers-'));
    server = await TestChatServer.start();
    server.treat = ({ count, to }) => (to === 0 && count === 5 ? [] : [0]);
  });
  afterEach(async () => {
    await server.stop();
    rmSync(directory, { recursive: true });
  });

  it.each([
    ['their tester', (url: string) => pythonTester(url, 'r', 'python')],
    ['ours', (url: string) => ourTester(url, 'r')],
  ])('%s says so and exits with 1', async (_, tester) => {
    const first = tester(server.url);
    await until(() => server.members.some(({ room }) => room === 'r'));
    const second = await ourTester(server.url, 'r', '--keep-going');
    const missing = await first;
    expect(await endOf(missing)).toEqual({ status: 1, signal: null });
    expect(missing.output()).toContain('ERROR: SERVER DROPPED A MESSAGE!\n');
    expect(await second.stop('SIGINT')).toEqual({ status: 130, signal: null });
  });

  it('a client that keeps going reports each gap, and exits with 1 in the end', async () => {
    server.treat = ({ count, to }) => (to === 0 && count % 10 === 5 ? [] : [0]);
    const file = join(directory, 'gaps.ndjson');
    const client = await ourTester(
      server.url,
      'r',
      '--keep-going',
      '--gaps',
      file,
      '--rate',
      '0',
      '--patience',
      '100ms',
    );
    const speaker = await ourTester(server.url, 'r', '--rate', '50');
    await until(() => client.output().split('ERROR: SERVER DROPPED A MESSAGE!\n').length > 2);
    expect(await client.stop('SIGINT')).toEqual({ status: 1, signal: null });
    await speaker.stop('SIGINT');
    const { gaps } = await readGapReports(readLines(file));
    expect(gaps.slice(0, 2)).toMatchObject([{ room: 'r', missing: [5] }, { missing: [15] }]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('a swarm ends there, with a log that says the same', async () => {
    const file = join(directory, 'swarm.ndjson');
    const swarm = await gaptrace('swarm', '--url', server.url, '--until-gap', '--seed', '3', '--log', file);
    expect(swarm, swarm.stderr).toMatchObject({ status: 1, stderr: '' });
    expect(swarm.stdout).toMatch(
      /^ended at the first gap after .*: \d+ clients, \d+ of them came only to go; seed 3\n/,
    );
    const { gaps, sent, received } = await readGapReports(readLines(file));
    const said = [...swarm.stdout.matchAll(/^ {2}(\S+): (\S+) missed 5 of sender (\S+) \(6 came\)$/gm)];
    expect(said.map(([, room, client, sender]) => [room, client, sender, 5].join(' ')).sort()).toEqual(
      gaps.map(({ room, client, sender, missing }) => [room, client, sender, ...missing].join(' ')).sort(),
    );
    expect(said.length).toBeGreaterThan(0);
    expect(sent.length).toBeGreaterThan(10);
    expect(received.length).toBeGreaterThan(10);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('a swarm whose log cannot be written ends, with what it knows and the reason', async () => {
    const swarm = await gaptrace('swarm', '--url', server.url, '--log', '/dev/full');
    expect(swarm).toMatchObject({ status: 2, stdout: expect.stringMatching(/^stopped after /) });
    expect(swarm.stderr).toMatch(/^gaptrace: cannot write \/dev\/full: ENOSPC.*\n$/);
  });

  it('a swarm that is interrupted says what it knows', async () => {
    server.treat = () => [0];
    const swarm = spawn(process.execPath, [CLI, 'swarm', '--url', server.url, '--json']);
    let stdout = '';
    swarm.stdout.on('data', (chunk) => {
      stdout += String(chunk);
    });
    const ended = once(swarm, 'close');
    await until(() => server.members.length > 5);
    swarm.kill('SIGINT');
    expect(await ended).toEqual([130, null]);
    expect(JSON.parse(stdout)).toMatchObject({ schema: 1, ended: 'stopped', total: { gaps: 0 } });
  });
});

it.each([
  [
    ['client', 'r', '--url', 'http://127.0.0.1'],
    /^gaptrace: 'http:\/\/127\.0\.0\.1' is not the URL of a chat server/,
  ],
  [['client', 'r', '--url', NOBODY], /^gaptrace: cannot join .*ECONNREFUSED/],
  [['client', 'r', '--gaps', '/nonexistent/g'], /^gaptrace: cannot write \/nonexistent\/g: ENOENT/],
  [['client', 'r', '--rate', 'fast'], /'--rate <n>' argument 'fast' is invalid\. a number from 0 to 10000/],
  [['client'], /missing required argument 'room'/],
  [['swarm', '--url', NOBODY], /^gaptrace: cannot join .*ECONNREFUSED/],
  [['swarm', '--room', 'r'], /^gaptrace: --room r: give a name and how many clients stay in it/],
  [['swarm', '--room', 'r=0'], /^gaptrace: --room r=0: give a name/],
  [['swarm', '--room', 'r=1', '--room', 'r=2'], /^gaptrace: --room r is there twice/],
  [['swarm', '--rate', '0'], /'--rate <n>' argument '0' is invalid\. more than 0/],
  [['swarm', '--churn', '-1'], /'--churn <n>' argument '-1' is invalid/],
  [['swarm', '--lifetime', '0'], /'--lifetime <time>' argument '0' is invalid\. more than 0/],
  [['swarm', '--for', '5'], /'--for <time>' argument '5' is invalid\. '5' is not a duration/],
  [['swarm', '--seed', '1.5'], /'--seed <n>' argument '1\.5' is invalid/],
  [['swarm', '--log', '/nonexistent/l'], /^gaptrace: cannot write \/nonexistent\/l: ENOENT/],
])('gaptrace %j is refused with exit status 2', async (args, message) => {
  const refused = await gaptrace(...args);
  expect(refused).toMatchObject({ status: 2, stdout: '' });
  expect(refused.stderr).toMatch(message);
});
