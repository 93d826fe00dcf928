import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openTrace } from '../proxy/trace/open.js';
import type { TraceOperation } from '../proxy/trace/trace.js';
import { createLayer } from '../server/layers/create.js';
import type { ChannelLayer } from '../server/layers/layer.js';
import { decodeMember } from '../server/layers/message.js';
import { startProxy } from './gaptrace.js';
import { startPythonLayer } from './python-layer.js';
import { startRedis } from './redis.js';

// The same script of calls, once by the real channels_redis 4.0.0 and once by our redis layer, each through gaptrace proxy.
// The two traces must show the same commands with the same arguments, in the same order.

type Layer = Omit<ChannelLayer, 'check'>;

/** What the test does to a layer; `popping` resolves when a pop waits in Redis. */
async function script(layer: Layer, popping: () => Promise<void>): Promise<void> {
  const [a, b] = [await layer.newChannel(), await layer.newChannel()];
  await layer.groupAdd('room', a);
  await layer.groupAdd('room', b);
  await layer.groupSend('room', { type: 'x', text: 'to both', n: 1 });
  await layer.receive(a);
  await layer.receive(b); // it is in the process already
  await layer.groupSend('empty', { type: 'x' });

  await layer.send(a, { type: 'x', bytes: null });
  await layer.receive(a);
  await layer.send('general', { type: 'x', n: 2 });
  await layer.receive('general');

  // A message that is waited for, and the next one, on the connections that the pool has by then.
  const waited = layer.receive(b);
  await popping();
  await layer.groupSend('room', { type: 'x', n: 3 });
  await waited;
  await layer.receive(a);

  // The consumer who has the turn leaves: its connection goes with it.
  const leaving = new AbortController();
  const left = layer.receive(a, { signal: leaving.signal }).catch(() => {});
  await popping();
  leaving.abort();
  await left;
  await layer.groupDiscard('room', a);
  await layer.groupSend('room', { type: 'x', n: 4 });
  await layer.receive(b);
  await layer.groupDiscard('room', b);
  await layer.flush();
}

interface Said {
  readonly command: string;
  readonly args: readonly unknown[];
  readonly inTransaction: boolean;
  readonly pipelined: boolean;
  /** Every reply that the connection was owed had come: one command in flight at a time, but for a pipeline. */
  readonly serial: boolean;
  readonly replyKind: string | null;
}

interface Recorded {
  readonly said: readonly Said[];
  /** How many connections the client closed before the end of the script, each with the command that had no reply. */
  readonly cut: readonly (string | undefined)[];
}

async function record(start: (url: string) => Promise<Layer>): Promise<Recorded> {
  const directory = mkdtempSync(join(tmpdir(), 'gaptrace-same-'));
  const redis = await startRedis();
  const proxy = await startProxy(redis.url, join(directory, 't.db'));
  const client = redis.client();
  const popping = async (): Promise<void> => {
    while (!/flags=b .*cmd=bzpopmin/.test((await client.client('LIST')) as string)) await sleep(5);
  };
  try {
    const layer = await start(proxy.url);
    await script(layer, popping);
    await layer.close();
    await proxy.stop();
    return readBack(join(directory, 't.db'));
  } finally {
    await proxy.stop();
    await redis.stop();
    rmSync(directory, { recursive: true });
  }
}

function readBack(path: string): Recorded {
  const trace = openTrace(path);
  try {
    expect([...trace.holes()]).toEqual([]);
    const names = new Map<string, string>();
    const operations = [...trace.operations()];
    const said = operations.map((operation) => ({
      command: operation.command,
      args: argsOf(operation, names),
      inTransaction: operation.transaction !== null,
      pipelined: operation.pipelined,
      serial: operation.owed === 0 || operation.pipelined,
      replyKind: operation.replyKind,
    }));
    const endedAt = operations.at(-1)?.requestedUs ?? 0;
    const cut = [...trace.connections()]
      .filter(({ closedUs, closedBy }) => closedBy === 'client' && closedUs !== null && closedUs < endedAt)
      .map(({ id }) =>
        operations.findLast(({ connection, replyKind }) => connection === id && replyKind === null),
      )
      .map((operation) => operation?.command);
    return { said, cut };
  } finally {
    trace.close();
  }
}

/** The arguments with what differs from run to run named instead: processes, channels, times, random bytes. */
function argsOf(operation: TraceOperation, names: Map<string, string>): unknown[] {
  const named = (name: string, kind: string): string => {
    const known = names.get(name) ?? `<${kind} ${names.size}>`;
    names.set(name, known);
    return known;
  };
  const startedSeconds = Date.now() / 1000;
  return operation.args.map((bytes, index) => {
    if (index === 0) return operation.command;
    if (index === 1 && operation.command === 'EVAL') return '<script>';
    const member = decodeMember(bytes);
    const text = bytes.toString('latin1');
    if (member.ok) return { random: 12, message: renamed(member.message) };
    const number = Number(text);
    if (/^\d{10}(\.\d+)?$/.test(text) && Math.abs(number - startedSeconds) < 100_000) {
      const [whole, fraction] = [Math.trunc(number), number % 1 !== 0];
      // Seconds ago, to the day: now, now less the expiry, now less the group's.
      return `<${fraction ? 'time' : 'whole seconds'}, ${Math.round((startedSeconds - whole) / 86_400)} days ago>`;
    }
    return rename(text);
  });

  function rename(text: string): string {
    return text
      .replace(
        /[0-9a-f]{32}!([0-9a-f]{32})/g,
        (_, channel: string) => `<process>!${named(channel, 'channel')}`,
      )
      .replace(/[0-9a-f]{32}!/g, '<process>!');
  }
  function renamed(message: unknown): unknown {
    return JSON.parse(rename(JSON.stringify(message)));
  }
}

test('channels_redis 4.0.0 and our layer say the same to Redis', async () => {
  const theirs = await record((url) => startPythonLayer('core', { hosts: [url] }));
  const ours = await record(async (url) => createLayer({ layer: 'redis', hosts: [url] }));

  // What is compared is worth comparing.
  const commands = theirs.said.map(({ command }) => command);
  for (const command of [
    'ZADD',
    'EXPIRE',
    'ZREMRANGEBYSCORE',
    'ZRANGE',
    'MULTI',
    'EXEC',
    'EVAL',
    'ZCOUNT',
    'BZPOPMIN',
    'ZPOPMIN',
    'ZREM',
  ])
    expect(commands).toContain(command);
  expect(theirs.cut).toEqual(['BZPOPMIN']);
  expect(theirs.said.every(({ serial }) => serial)).toBe(true);

  expect(ours.said).toEqual(theirs.said);
  expect(ours.cut).toEqual(theirs.cut);
});
