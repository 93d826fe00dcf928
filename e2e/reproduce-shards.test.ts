import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { gaptrace, type ProxyProgram, select, startProxy } from './gaptrace.js';
import { type PythonLayer, startPythonLayer } from './python-layer.js';
import { type PrivateRedis, startRedis } from './redis.js';

// Two Redis hosts, a proxy before each, and the real Python channels_redis 4.0.0 on both: `send` and `receive` choose the host
// of one process by different names (channels#1492, channels_redis#221).

interface Analysis {
  readonly summary: Readonly<Record<string, number>>;
  readonly findings: readonly {
    readonly sender: string;
    readonly count: number;
    readonly verdict: string;
    readonly cause: string | null;
    readonly alternatives: readonly string[];
    readonly explanation: string;
    readonly operations: readonly {
      readonly id: number;
      readonly role: string;
      readonly command: string;
      readonly trace: string;
    }[];
  }[];
}

let directory: string;
let redis: PrivateRedis[];
let proxies: ProxyProgram[];
let layers: PythonLayer[];
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gaptrace-shards-'));
  redis = await Promise.all([startRedis(), startRedis()]);
  proxies = await Promise.all(redis.map(({ url }, host) => startProxy(url, traceOf(host))));
  layers = [];
});
afterEach(async () => {
  for (const layer of layers) await layer.close();
  for (const program of [...proxies, ...redis]) await program.stop();
  rmSync(directory, { recursive: true });
});

const traceOf = (host: number) => join(directory, `host-${host}.db`);

async function layer(): Promise<PythonLayer> {
  const started = await startPythonLayer('core', { hosts: proxies.map(({ url }) => url) });
  layers.push(started);
  return started;
}

/** A channel of the layer, and the host of the channel, as `send` has it, and of its process, as `receive` has it. */
async function channelOf(theirs: PythonLayer, missing: boolean) {
  for (;;) {
    const channel = await theirs.newChannel();
    const process = channel.slice(0, channel.indexOf('!') + 1);
    const [sentTo = 0, home = 0] = await theirs.shards([channel, process], 2);
    if ((sentTo !== home) === missing) return { channel, sentTo, home };
  }
}

const numbered = (count: number) => ({ type: 'x', text_data: JSON.stringify({ my_id: 'sender', count }) });

/** Ends the recording once all that was received is acknowledged, and asks. */
async function analyzed(...traces: readonly string[]): Promise<Analysis> {
  for (const client of redis.map((each) => each.client()))
    while ((await client.keys('*$inflight')).length > 0) await sleep(5);
  for (const each of layers.splice(0)) await each.close();
  for (const proxy of proxies) await proxy.stop();
  const { stdout, stderr } = await gaptrace('analyze-gap', ...traces, '--json');
  expect(stdout, stderr).not.toBe('');
  return JSON.parse(stdout) as Analysis;
}

/** One message sent where nobody looks, and then one by group_send, which the process gets. */
async function sentAstray(): Promise<{ sentTo: number; home: number }> {
  const [receiver, sender] = [await layer(), await layer()];
  const { channel, sentTo, home } = await channelOf(receiver, true);
  await receiver.groupAdd('room', channel);
  await sender.send(channel, numbered(0));
  await sender.groupSend('room', numbered(1));
  expect(await receiver.receive(channel)).toEqual(numbered(1));
  await sender.groupSend('room', numbered(2));
  expect(await receiver.receive(channel)).toEqual(numbered(2));
  return { sentTo, home };
}

test('shard-mismatch: send puts a message on one host, its process receives on the other', async () => {
  const { sentTo, home } = await sentAstray();
  const { findings, summary } = await analyzed(traceOf(0), traceOf(1));
  expect(summary).toMatchObject({ lost: 1, delivered: 2, indeterminate: 0 });
  expect(findings).toMatchObject([{ sender: 'sender', count: 0, verdict: 'lost', cause: 'shard-mismatch' }]);
  const [enqueue, elsewhere] = findings[0]?.operations ?? [];
  expect(enqueue).toMatchObject({ role: 'enqueue', command: 'ZADD', trace: traceOf(sentTo) });
  expect(elsewhere).toMatchObject({ role: 'received-elsewhere', trace: traceOf(home) });
  // Each is found under that number in its own trace.
  for (const { id, command, trace } of findings[0]?.operations ?? [])
    expect(await select(trace, `SELECT command FROM operations WHERE id = ${id}`)).toEqual([{ command }]);
});

test('innocent twin of shard-mismatch: the trace of the other host is missing', async () => {
  const { sentTo, home } = await sentAstray();
  const { findings } = await analyzed(traceOf(sentTo));
  expect(findings).toMatchObject([
    { count: 0, verdict: 'indeterminate', cause: null, alternatives: ['shard-mismatch', 'in-flight'] },
  ]);
  expect(findings[0]?.explanation).toContain('the traces of all hosts together');
  const { stdout, status } = await gaptrace('analyze-gap', traceOf(home));
  expect({ status, stdout }).toMatchObject({ status: 0, stdout: expect.stringContaining('0 lost') });
});

test('innocent twin of shard-mismatch: the hosts of the channel and of its process are one', async () => {
  const [receiver, sender] = [await layer(), await layer()];
  const { channel } = await channelOf(receiver, false);
  for (const count of [0, 1, 2]) {
    await sender.send(channel, numbered(count));
    expect(await receiver.receive(channel)).toEqual(numbered(count));
  }
  const { findings, summary } = await analyzed(traceOf(0), traceOf(1));
  expect({ findings, delivered: summary.delivered }).toEqual({ findings: [], delivered: 3 });
});

test('innocent twin of shard-mismatch: two traces, but of one Redis', async () => {
  const second = await startProxy(redis[0]!.url, join(directory, 'second.db'));
  proxies.push(second);
  const receiver = await startPythonLayer('core', { hosts: [proxies[0]!.url] });
  const sender = await startPythonLayer('core', { hosts: [second.url] });
  layers.push(receiver, sender);
  const channel = await receiver.newChannel();
  await sender.send(channel, numbered(0));
  expect(await receiver.receive(channel)).toEqual(numbered(0));
  const { findings, summary } = await analyzed(traceOf(0), join(directory, 'second.db'));
  expect({ findings, delivered: summary.delivered }).toEqual({ findings: [], delivered: 1 });
});
