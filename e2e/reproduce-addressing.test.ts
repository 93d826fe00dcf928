import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Evidence } from '../analysis/evidence.js';
import { Judge } from '../analysis/judge.js';
import { messageLine } from '../clients/gap-report.js';
import { openTrace } from '../proxy/trace/open.js';
import type { Message } from '../server/layers/layer.js';
import { encodeMember } from '../server/layers/message.js';
import { gaptrace, type ProxyProgram, startProxy } from './gaptrace.js';
import { type PythonLayer, type PythonLayerOptions, startPythonLayer } from './python-layer.js';
import { type PrivateRedis, startRedis } from './redis.js';

// Whom a message was for, and who took it: each way to lose one there made to happen on a real Redis through the real proxy, and
// beside it what looks like it and is not. `python` is the real channels_redis 4.0.0; where a test plays another version it says so.

let directory: string;
let redis: PrivateRedis;
let proxy: ProxyProgram;
let layers: PythonLayer[];
let clients: Redis[];

const trace = () => join(directory, 't.db');

async function start(...flags: readonly string[]): Promise<void> {
  redis = await startRedis();
  proxy = await startProxy(redis.url, trace(), ...flags);
}

async function python(options: Omit<PythonLayerOptions, 'hosts'> = {}): Promise<PythonLayer> {
  const layer = await startPythonLayer('core', { hosts: [proxy.url], prefix: 'chat', ...options });
  layers.push(layer);
  return layer;
}

/** A client of Redis through the proxy, that says what a test tells it to. */
function scripted(): Redis {
  const client = redis.client({ port: proxy.port });
  clients.push(client);
  return client;
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gaptrace-addressing-'));
  [layers, clients] = [[], []];
});

/** Ends what speaks to Redis, so that the trace is whole. */
async function stop(): Promise<void> {
  for (const client of clients.splice(0)) client.disconnect();
  await Promise.all(layers.splice(0).map((layer) => layer.close()));
  await proxy?.stop();
}

afterEach(async ({ task }) => {
  await stop();
  await redis?.stop();
  if (task.result?.state === 'fail') console.error(`proxy:\n${proxy?.output()}\nredis:\n${redis?.log()}`);
  rmSync(directory, { recursive: true });
});

/** A message of the chat protocol, from the consumer on a channel. */
const says = (sender: string, channel: string, count: number): Message => ({
  ...{ type: 'chat_send', text_data: JSON.stringify({ my_id: sender, count }), bytes_data: null },
  sender_channel_name: channel,
});

const countOf = ({ text_data }: Message) => (JSON.parse(String(text_data)) as { count: number }).count;
const senderOf = ({ text_data }: Message) => (JSON.parse(String(text_data)) as { my_id: string }).my_id;

interface Finding {
  readonly sender: string;
  readonly count: number;
  readonly verdict: string;
  readonly cause: string | null;
  readonly reported_by: readonly string[];
  readonly explanation: string;
  readonly operations: readonly { readonly role: string; readonly command: string }[];
}

/** What analyze-gap says to a file of lines, or of the whole trace. */
async function analyzed(lines?: readonly string[]): Promise<{ status: number | null; findings: Finding[] }> {
  const log = join(directory, 'clients.ndjson');
  if (lines) writeFileSync(log, `${lines.join('\n')}\n`);
  const asked = lines ? ['--gaps', log] : [];
  const { status, stdout, stderr } = await gaptrace('analyze-gap', trace(), ...asked, '--json');
  if (stdout === '') throw new Error(stderr);
  return { status, findings: (JSON.parse(stdout) as { findings: Finding[] }).findings };
}

const starts = (client: string) => JSON.stringify({ schema: 1, event: 'start', client, id: client });
const received = (client: string, message: Message) =>
  messageLine('recv', {
    ...{ client, room: 'room', sender: senderOf(message), count: countOf(message), at: null },
  });

/** Bert says that he missed count 1 of Sam. */
const BERTS_LOG = [
  starts('bert'),
  JSON.stringify({
    ...{ schema: 1, event: 'gap', client: 'bert', room: 'room', sender: 'sam' },
    ...{ expected: 1, received: 2, missing: [1] },
  }),
];

describe('not-a-member, on channels_redis 4.0.0', () => {
  /** Anna, Bert and Sam in one process; who is in the group is for the test to say. */
  async function room(options: Omit<PythonLayerOptions, 'hosts'> = {}) {
    await start();
    const layer = await python(options);
    const [anna, bert, sam] = [await layer.newChannel(), await layer.newChannel(), await layer.newChannel()];
    return { layer, anna, bert, sam };
  }

  test('not-a-member: a join race: Bert speaks already, and a message is sent before group_add is done', async () => {
    const { layer, anna, bert, sam } = await room();
    await layer.groupAdd('room', anna);
    await layer.groupSend('room', says('sam', sam, 0));
    await layer.groupSend('room', says('bert', bert, 0));
    await layer.groupSend('room', says('sam', sam, 1));
    await layer.groupAdd('room', bert);
    await layer.groupSend('room', says('sam', sam, 2));
    const counts = [];
    for (let n = 0; n < 4; n++) counts.push(countOf(await layer.receive(anna)));
    expect(counts).toEqual([0, 0, 1, 2]);
    expect(countOf(await layer.receive(bert))).toBe(2);
    await stop();

    const { status, findings } = await analyzed(BERTS_LOG);
    expect({ status, findings }).toMatchObject({
      status: 1,
      findings: [{ verdict: 'not-addressed', cause: 'not-a-member', reported_by: ['bert'] }],
    });
    expect(findings[0]?.operations).toMatchObject([
      { role: 'roll-call', command: 'ZRANGE' },
      { role: 'enqueue', command: 'EVAL' },
      { role: 'join', command: 'ZADD' },
    ]);
  });

  test('innocent twin of not-a-member: Bert came after the message, and had not been heard of before', async () => {
    const { layer, anna, bert, sam } = await room();
    await layer.groupAdd('room', anna);
    await layer.groupSend('room', says('sam', sam, 1));
    await layer.groupAdd('room', bert);
    await layer.groupSend('room', says('sam', sam, 2));
    await layer.groupSend('room', says('bert', bert, 0));
    for (let n = 0; n < 3; n++) await layer.receive(anna);
    for (let n = 0; n < 2; n++) await layer.receive(bert);
    await stop();
    const { status, findings } = await analyzed(BERTS_LOG);
    expect({ status, findings }).toMatchObject({
      status: 0,
      findings: [{ verdict: 'delivered', cause: null }],
    });
  });

  test('not-a-member: group expiry: everybody was in the group for longer than group_expiry', async () => {
    const { layer, bert, sam } = await room({ group_expiry: 1 });
    await layer.groupAdd('room', bert);
    await layer.groupSend('room', says('sam', sam, 0));
    expect(countOf(await layer.receive(bert))).toBe(0);
    const client = redis.client();
    await expect.poll(() => client.exists('chat:group:room')).toBe(0);
    await layer.groupSend('room', says('sam', sam, 1));
    await layer.groupAdd('room', bert);
    await layer.groupSend('room', says('bert', bert, 0));
    await layer.groupSend('room', says('sam', sam, 2));
    expect([countOf(await layer.receive(bert)), countOf(await layer.receive(bert))]).toEqual([0, 2]);
    await stop();
    const { findings } = await analyzed(BERTS_LOG);
    expect(findings).toMatchObject([{ verdict: 'not-addressed', cause: 'not-a-member' }]);
    expect(findings[0]?.explanation).toContain('group_expiry');
  });

  test('not-a-member: group expiry: Bert is removed by age, while Anna joins again and again', async () => {
    const { layer, anna, bert, sam } = await room({ group_expiry: 1 });
    await layer.groupAdd('room', bert);
    await layer.groupSend('room', says('sam', sam, 0));
    expect(countOf(await layer.receive(bert))).toBe(0);
    const client = redis.client();
    const joined = Number(await client.zscore('chat:group:room', bert));
    // The layer removes who joined a whole second before the current one began.
    while (joined > Math.floor(Date.now() / 1000) - 1) await layer.groupAdd('room', anna);
    expect(await client.zscore('chat:group:room', bert)).not.toBeNull();
    await layer.groupSend('room', says('sam', sam, 1));
    await layer.groupAdd('room', bert);
    await layer.groupSend('room', says('bert', bert, 0));
    await layer.groupSend('room', says('sam', sam, 2));
    expect(countOf(await layer.receive(anna))).toBe(1);
    expect([countOf(await layer.receive(bert)), countOf(await layer.receive(bert))]).toEqual([0, 2]);
    await stop();
    const { findings } = await analyzed(BERTS_LOG);
    expect(findings).toMatchObject([{ verdict: 'not-addressed', cause: 'not-a-member' }]);
    expect(findings[0]?.operations).toContainEqual(
      expect.objectContaining({ role: 'group-expiry', command: 'ZREMRANGEBYSCORE' }),
    );
  });

  test('innocent twin of not-a-member: the group was empty at another time; this message was never sent', async () => {
    const { layer, bert, sam } = await room();
    await layer.groupSend('room', says('kim', `${sam}kim`, 0)); // to nobody, before all
    await layer.groupAdd('room', bert);
    await layer.groupSend('room', says('sam', sam, 0));
    await layer.groupSend('room', says('bert', bert, 0));
    await layer.groupSend('room', says('sam', sam, 2));
    for (let n = 0; n < 3; n++) await layer.receive(bert);
    await stop();
    expect((await analyzed(BERTS_LOG)).findings).toMatchObject([
      { verdict: 'never-sent', cause: 'never-sent' },
    ]);
  });
});

describe('worker-duplicate, on channels_redis 4.0.0', () => {
  /** So many workers, each a process of its own, receive from one general channel until all jobs are done. How often each was. */
  async function work(workers: number, jobs: number): Promise<Map<number, number>> {
    // Two loops that take equally long fall into step, and then neither ever comes between the other's commands.
    await start('--latency', '2ms', '--jitter', '2ms');
    const sender = await python({ capacity: 100_000 });
    // They are all there before the first worker comes, so that no worker ever waits for the next one.
    for (let count = 0; count < jobs; count++) await sender.send('thumbnails', says('sam', 'sam', count));
    const done = new Map<number, number>();
    const working = await Promise.all(Array.from({ length: workers }, () => python()));
    for (const worker of working)
      void (async () => {
        for (;;) {
          const count = countOf(await worker.receive('thumbnails'));
          done.set(count, (done.get(count) ?? 0) + 1);
        }
      })().catch(() => {}); // it ends with its layer
    await expect.poll(() => done.size).toBe(jobs);
    // What was put back is done, too: nothing waits in the queue or in the backup, and no worker holds a message that is in neither
    // of them (popped, and not yet backed up), for they all wait for the next one.
    const client = redis.client();
    const idle = async () => {
      const asked = client.multi().info('clients').exists('chatthumbnails', 'chatthumbnails$inflight').exec();
      const [[, info], [, waiting]] = (await asked) as [[null, string], [null, number]];
      return { blocked: Number(/blocked_clients:(\d+)/.exec(info)?.[1]), waiting };
    };
    await expect.poll(idle, { interval: 5 }).toEqual({ blocked: workers, waiting: 0 });
    await stop();
    return done;
  }

  function judged(verdict: string): number[] {
    const opened = openTrace(trace());
    const found = new Judge(new Evidence(opened)).all().filter((one) => one.verdict === verdict);
    opened.close();
    return found.map(({ payload }) => payload.count as number).sort((a, b) => a - b);
  }

  test('worker-duplicate: two workers: what was processed twice is what is said to be', async () => {
    const done = await work(2, 150);
    const counts = [...done.keys()].sort((a, b) => a - b);
    const twice = counts.filter((count) => (done.get(count) ?? 0) > 1);
    expect(twice.length).toBeGreaterThan(0);
    expect(judged('duplicated')).toEqual(twice);
    expect(judged('delivered')).toEqual(counts.filter((count) => done.get(count) === 1));
    expect((await analyzed()).findings).toEqual([]); // nothing is lost
  }, 120_000);

  test('innocent twin of worker-duplicate: one worker', async () => {
    const done = await work(1, 60);
    expect([...done.values()].every((times) => times === 1)).toBe(true);
    expect(judged('delivered')).toHaveLength(60);
  });
});

describe('wrong-process, on channels_redis 4.0.0', () => {
  /** Anna lives in one process, Bert in another; each receives, and what they got is logged. Sam sends until `enough`. */
  async function talk(prefixes: readonly (string | undefined)[], messages: number) {
    await start('--latency', '1ms');
    const sam = await python();
    const names = ['anna', 'bert'] as const;
    const lines = names.map(starts);
    const got = new Map<string, Set<number>>(names.map((name) => [name, new Set()]));
    for (const [i, name] of names.entries()) {
      const prefix = prefixes[i];
      const layer = await python(prefix === undefined ? {} : { client_prefix: prefix });
      const channel = await layer.newChannel();
      await layer.groupAdd('room', channel);
      await layer.groupSend('room', says(name, channel, 0));
      void (async () => {
        for (;;) {
          const message = await layer.receive(channel);
          lines.push(received(name, message));
          if (senderOf(message) === 'sam') got.get(name)?.add(countOf(message));
        }
      })().catch(() => {}); // it ends with its layer
    }
    for (let count = 0; count < messages; count++) {
      await sam.groupSend('room', says('sam', 'sam', count));
      await expect.poll(() => [...got.values()].some((counts) => counts.has(count))).toBe(true);
    }
    await stop();
    return { lines, got };
  }

  test('wrong-process: two processes with one client prefix take what is for the other one', async () => {
    const prefix = 'c'.repeat(32);
    const { lines, got } = await talk([prefix, prefix], 60);
    const { findings } = await analyzed(lines);
    const missed = [...got].flatMap(([name, counts]) =>
      [...Array(Math.max(...counts)).keys()]
        .filter((count) => count > Math.min(...counts) && !counts.has(count))
        .map((count) => `${name} ${count}`),
    );
    expect(missed.length).toBeGreaterThan(10);
    const told = findings.flatMap(({ reported_by, count }) => reported_by.map((name) => `${name} ${count}`));
    expect(told.sort()).toEqual(missed.sort());
    expect(new Set(findings.map(({ verdict, cause }) => `${verdict} ${cause}`))).toEqual(
      new Set(['lost wrong-process']),
    );
  });

  test('innocent twin of wrong-process: two processes, each with a prefix of its own', async () => {
    const { lines, got } = await talk([undefined, undefined], 20);
    expect([...got.values()].map(({ size }) => size)).toEqual([20, 20]);
    expect(await analyzed(lines)).toMatchObject({ status: 0, findings: [] });
  });
});

/** A member as channels_redis 2 has it: msgpack, and nothing before it. */
function listMember(count: number, recipient: string): Buffer {
  const message = { text_data: JSON.stringify({ my_id: 'sam', count }), __asgi_channel__: recipient };
  return Buffer.from(encodeMember(message, new Uint8Array(12))).subarray(12);
}

const LIST_PROCESS = 'specific.dqKbMlZp!';
const LIST = `chat${LIST_PROCESS}`;
const [LIST_ANNA, LIST_BERT] = [`${LIST_PROCESS}wngylvJlmMkg`, `${LIST_PROCESS}EkUIijxmkLGw`];

describe('misrouted, by a client that plays channels_redis 2.1.0', () => {
  /** group_send as its script has it (channels_redis#93): RPUSH and EXPIRE for each key, with one member for each. */
  const RPUSH_EACH =
    "for i = 1, #KEYS do redis.call('RPUSH', KEYS[i], ARGV[i]) redis.call('EXPIRE', KEYS[i], 60) end";

  async function groupSend(recipients: readonly string[]): Promise<number> {
    await start();
    const [sender, receiver] = [scripted(), scripted()];
    for (const channel of [LIST_ANNA, LIST_BERT]) await sender.zadd('chat:group:room', 1, channel);
    expect(await sender.zrange('chat:group:room', '0', '-1')).toHaveLength(2);
    const members = recipients.map((channel) => listMember(1, channel));
    await sender.eval(RPUSH_EACH, 2, LIST, LIST, ...members);
    let brought = 0;
    while ((await receiver.blpop(LIST, 0.1)) !== null) brought++;
    await stop();
    return brought;
  }

  test('misrouted: one recipient twice, the other never', async () => {
    expect(await groupSend([LIST_BERT, LIST_BERT])).toBe(2);
    const { status, findings } = await analyzed();
    expect({ status, findings }).toMatchObject({
      ...{ status: 1, findings: [{ count: 1, verdict: 'not-addressed', cause: 'misrouted' }] },
    });
    expect(findings[0]?.explanation).toContain(`never for ${LIST_ANNA}`);
  });

  test('innocent twin of misrouted: the key comes twice, with a member for each recipient', async () => {
    expect(await groupSend([LIST_ANNA, LIST_BERT])).toBe(2);
    expect(await analyzed()).toMatchObject({ status: 0, findings: [] });
  });
});

describe('list-era-pop', () => {
  const POP_WAITS = /flags=b .*cmd=(blpop|brpoplpush)/;

  /** A pop waits; a message is pushed; while both are on their way, the popping client closes. */
  async function closeInFlight(pop: (client: Redis) => Promise<unknown>): Promise<void> {
    await start('--latency', '100ms');
    const [sender, receiver, watcher] = [scripted(), scripted(), redis.client()];
    await sender.ping();
    void pop(receiver).catch(() => {}); // its connection goes
    while (!POP_WAITS.test((await watcher.client('LIST')) as string)) await sleep(5);
    const pushed = sender.rpush(LIST, listMember(1, LIST_ANNA));
    await sleep(30); // the push is on its way to Redis, the close follows it
    receiver.disconnect();
    await pushed;
  }

  test('list-era-pop: a client that plays channels_redis 2.2 closes while BLPOP takes a message', async () => {
    await closeInFlight((client) => client.blpop(LIST, 5));
    await stop();
    expect((await analyzed()).findings).toMatchObject([{ count: 1, verdict: 'lost', cause: 'list-era-pop' }]);
  });

  test('innocent twin of list-era-pop: one that plays 2.4 closes in the same moment, and finds it in the backup', async () => {
    const backup = `${LIST}$inflight`;
    await closeInFlight((client) => client.brpoplpush(LIST, backup, 5));
    const next = scripted();
    await next.eval("redis.call('RPOPLPUSH', ARGV[2], ARGV[1])", 0, LIST, backup);
    expect(await next.brpoplpush(LIST, backup, 5)).not.toBeNull();
    expect(await next.rpop(backup)).not.toBeNull();
    await stop();
    expect(await analyzed()).toMatchObject({ status: 0, findings: [] });
  });

  test('innocent twin of list-era-pop: one that plays 2.2 goes on receiving', async () => {
    await start();
    const [sender, receiver] = [scripted(), scripted()];
    await sender.rpush(LIST, listMember(1, LIST_ANNA));
    expect(await receiver.blpop(LIST, 1)).not.toBeNull();
    expect(await receiver.blpop(LIST, 0.1)).toBeNull();
    await stop();
    expect(await analyzed()).toMatchObject({ status: 0, findings: [] });
  });
});

test('a job queue of another application, on BZPOPMIN, gets no verdicts', async () => {
  await start();
  const [producer, worker] = [scripted(), scripted()];
  for (let n = 0; n < 5; n++) {
    const job = Buffer.from(encodeMember({ job: n }, Buffer.alloc(12, `job ${n}`)));
    await producer.zadd('jobs', n, job);
    expect(await worker.bzpopmin('jobs', 1)).not.toBeNull();
  }
  await stop();
  const { stdout } = await gaptrace('analyze-gap', trace(), '--json');
  expect(JSON.parse(stdout)).toMatchObject({
    summary: { delivered: 0, lost: 0, indeterminate: 0 },
    findings: [],
  });
});
