import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encode } from '@msgpack/msgpack';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { request } from '../proxy/wire/splits.js';
import { createLayer } from '../server/layers/create.js';
import type { ChannelLayer } from '../server/layers/layer.js';
import { gaptrace, type ProxyProgram, startProxy } from './gaptrace.js';
import { RawClient } from './proxied.js';
import { startPythonLayer } from './python-layer.js';
import { type PrivateRedis, startRedis } from './redis.js';

// Every way in which the pub/sub layer loses a message, made to happen on a real Redis behind the real proxy, and its innocent
// twin: what looks like it and is none. `python` is channels_redis.pubsub 4.0.0 with redis-py 4.3.4, of Debian; `ours` is gaptrace's
// layer, which speaks as that does. Scripted clients stand for what neither can be made to do at will, and say what they play.

interface Analysis {
  readonly summary: Readonly<Record<string, number>>;
  readonly findings: readonly {
    readonly sender: string;
    readonly count: number;
    readonly verdict: string;
    readonly cause: string | null;
    readonly alternatives: readonly string[];
    readonly explanation: string;
    readonly operations: readonly { readonly role: string; readonly command: string }[];
  }[];
}

const toStop: (() => Promise<unknown> | unknown)[] = [];
let directory: string;
let trace: string;
let redis: PrivateRedis;
let proxy: ProxyProgram;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gaptrace-pubsub-'));
  trace = join(directory, 't.db');
});

afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
  await proxy?.stop();
  await redis?.stop();
  rmSync(directory, { recursive: true });
});

async function start(config: readonly string[] = [], ...flags: readonly string[]): Promise<void> {
  redis = await startRedis({ config });
  proxy = await startProxy(redis.url, trace, ...flags);
}

type Kind = 'python' | 'ours';

/** Only what both have. */
type Layer = Pick<
  ChannelLayer,
  'newChannel' | 'receive' | 'groupAdd' | 'groupDiscard' | 'groupSend' | 'close'
>;

async function layer(kind: Kind): Promise<Layer> {
  const started =
    kind === 'python'
      ? await startPythonLayer('pubsub', { hosts: [proxy.url] })
      : createLayer({ layer: 'pubsub', hosts: [proxy.url] });
  toStop.push(() => started.close());
  return started;
}

const ROOM = 'asgi__group__room_a';
const text = (count: number, filler = '') => JSON.stringify({ my_id: 's', count, filler });
const message = (count: number) => ({ type: 'chat_send', text_data: text(count) });

/** Sends count after count to the room, until `enough`. Resolves with the counts that were sent. */
async function sendUntil(sender: Layer, first: number, enough: () => boolean): Promise<number[]> {
  const sent: number[] = [];
  for (let count = first; !enough(); count++) {
    await sender.groupSend('room_a', message(count));
    sent.push(count);
    await sleep(20);
  }
  return sent;
}

/** Collects what a consumer receives, until its layer is closed. */
function collect(from: Layer, channel: string): number[] {
  const counts: number[] = [];
  void (async () => {
    for (;;) counts.push(JSON.parse(String((await from.receive(channel)).text_data)).count);
  })().catch(() => {}); // the layer was closed
  return counts;
}

async function until(fact: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const deadline = Date.now() + 20_000; !(await fact()); await sleep(5))
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
}

const subscribers = async (client: Redis): Promise<number> =>
  Number(((await client.pubsub('NUMSUB', ROOM)) as [string, number])[1]);

/** Everything is stopped, and the trace asked; `gaps` are NDJSON lines. */
async function analyzed(gaps?: string): Promise<Analysis> {
  for (const stop of toStop.splice(0).reverse()) await stop();
  expect(await proxy.stop(), proxy.output()).toEqual({ status: 0, signal: null });
  const file = join(directory, 'gaps.ndjson');
  if (gaps !== undefined) writeFileSync(file, gaps);
  const run = await gaptrace('analyze-gap', trace, ...(gaps === undefined ? [] : ['--gaps', file]), '--json');
  expect(run.status, run.stderr).toBeLessThan(4);
  return JSON.parse(run.stdout) as Analysis;
}

const gap = (count: number): string =>
  `${JSON.stringify({ schema: 1, event: 'gap', client: 'c', room: 'room_a', sender: 's', expected: count, received: count + 1, missing: [count] })}\n`;

const countsOf = (analysis: Analysis): number[] =>
  analysis.findings.map(({ count }) => count).sort((a, b) => a - b);

describe.each(['python', 'ours'] as const)('%s', (kind) => {
  /** A consumer in the room that has received a message. */
  async function settled(): Promise<{ sender: Layer; receiver: Layer; channel: string; received: number[] }> {
    const [sender, receiver] = [await layer(kind), await layer(kind)];
    const channel = await receiver.newChannel();
    await receiver.groupAdd('room_a', channel);
    const client = redis.client();
    await until(async () => (await subscribers(client)) === 1, 'the receiver is subscribed');
    const received = collect(receiver, channel);
    await sendUntil(sender, 0, () => received.length > 0);
    return { sender, receiver, channel, received };
  }

  test('resubscribe-gap: CLIENT KILL of the subscriber while messages are sent', async () => {
    await start();
    const { sender, received } = await settled();
    const before = received.length;
    const client = redis.client();
    expect(await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')).toBe(1);
    const sent = await sendUntil(sender, 1000, () => received.length > before + 3);
    const lost = sent.filter((count) => !received.includes(count));
    expect(lost.length).toBeGreaterThan(5);
    const analysis = await analyzed();
    expect(countsOf(analysis)).toEqual(lost);
    for (const { verdict, cause, operations } of analysis.findings) {
      expect([verdict, cause]).toEqual(['lost', 'resubscribe-gap']);
      expect(operations.map(({ role }) => role)).toEqual(['subscribe', 'publish', 'resubscribe']);
    }
  }, 60_000);

  test('innocent twin of resubscribe-gap: the subscriber is killed, and back before anything is sent', async () => {
    await start();
    const { sender, received } = await settled();
    const client = redis.client();
    await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await until(async () => (await subscribers(client)) === 1, 'the receiver is subscribed again');
    const sent = await sendUntil(sender, 1000, () => received.filter((count) => count >= 1000).length > 3);
    await until(() => sent.every((count) => received.includes(count)), 'all was received');
    const analysis = await analyzed();
    expect(analysis.findings).toEqual([]);
    expect(analysis.summary.delivered).toBeGreaterThanOrEqual(sent.length);
  }, 60_000);

  test('innocent twin of resubscribe-gap: the consumer left the room, then the subscriber is killed', async () => {
    await start();
    const { sender, receiver, channel } = await settled();
    await receiver.groupDiscard('room_a', channel);
    const client = redis.client();
    await until(async () => (await subscribers(client)) === 0, 'the receiver has left');
    await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await sender.groupSend('room_a', message(1000));
    await until(
      async () => ((await client.pubsub('CHANNELS', 'asgispecific*')) as string[]).length === 1,
      'the process is back',
    );
    const analysis = await analyzed();
    expect(analysis.findings).toEqual([]);
    expect(analysis.summary['recipients-left']).toBe(1);
  }, 60_000);

  test('no-subscriber: nobody is in the room, and a client misses what was sent to it', async () => {
    await start();
    await (await layer(kind)).groupSend('room_a', message(7));
    const analysis = await analyzed(gap(7));
    expect(analysis.findings).toMatchObject([{ count: 7, verdict: 'not-addressed', cause: 'no-subscriber' }]);
    expect(analysis.findings[0]?.explanation).toContain('Redis answered that nobody was subscribed');
  }, 60_000);

  test('innocent twin of no-subscriber: everybody has left the room, and nobody misses anything', async () => {
    await start();
    const { sender, receiver, channel } = await settled();
    await receiver.groupDiscard('room_a', channel);
    const client = redis.client();
    await until(async () => (await subscribers(client)) === 0, 'the receiver has left');
    await sender.groupSend('room_a', message(1000));
    const analysis = await analyzed();
    expect(analysis.findings).toEqual([]);
    expect(analysis.summary['recipients-left']).toBe(1);
  }, 60_000);

  test('lost-after-redis: the consumer was handed it, and its client misses it', async () => {
    await start();
    const { received } = await settled();
    const analysis = await analyzed(gap(received[0] as number));
    expect(analysis.findings).toMatchObject([{ verdict: 'lost', cause: 'lost-after-redis' }]);
  }, 60_000);

  test('innocent twin of lost-after-redis: one process was handed it, and the other, which was cut off, misses it', async () => {
    await start();
    const { sender, received } = await settled();
    const cut = await layer(kind);
    await cut.groupAdd('room_a', await cut.newChannel());
    const client = redis.client();
    await until(async () => (await subscribers(client)) === 2, 'both are subscribed');
    const list = ((await client.call('CLIENT', 'LIST', 'TYPE', 'pubsub')) as string).trim().split('\n');
    const ids = list.map((line) => Number(/^id=(\d+)/.exec(line)?.[1]));
    await client.call('CLIENT', 'KILL', 'ID', String(Math.max(...ids))); // the one that came last
    await sender.groupSend('room_a', message(1000));
    await until(() => received.includes(1000), 'the other received it');
    await until(async () => (await subscribers(client)) === 2, 'it is back');
    const { findings } = await analyzed(gap(1000));
    expect(findings).toMatchObject([{ count: 1000, verdict: 'lost', cause: 'resubscribe-gap' }]);
  }, 60_000);
});

/** A scripted subscriber, as channels_redis.pubsub 4.0.0: a consumer's channel, and the room. */
const CONSUMER = `asgispecific.${'ab'.repeat(16)}`;
async function ask(client: RawClient, words: readonly (string | Buffer)[], answer: string): Promise<void> {
  client.received = Buffer.alloc(0);
  client.socket.write(request(...words));
  await until(() => client.received.includes(answer), answer);
}
const payload = (count: number, filler = '') =>
  Buffer.from(encode({ type: 'chat_send', text_data: text(count, filler) }));

describe('output-buffer-overflow', () => {
  const FILLER = 'x'.repeat(100_000);
  /** 40 MB: more than what the kernels of both sides keep for a connection. */
  const MOST = 400;

  /** Publishes megabytes to the room, until Redis has given its subscriber up, or it is enough. Gives how many messages. */
  async function flood(most = MOST): Promise<number> {
    const publisher = new RawClient(proxy.port);
    toStop.push(() => publisher.socket.destroy());
    const client = redis.client();
    for (let count = 0; count < most; count++) {
      await ask(publisher, ['PUBLISH', ROOM, payload(count, FILLER)], '\r\n');
      if ((await subscribers(client)) === 0) return count + 1;
    }
    return most;
  }

  const unread = (sent: number, read: (count: number) => boolean): number[] =>
    Array.from({ length: sent }, (_, count) => count).filter((count) => !read(count));

  test('channels_redis 4.0.0: its process is stopped for a while, and Redis gives it up', async () => {
    await start(['client-output-buffer-limit pubsub 1mb 0 0']);
    const receiver = await startPythonLayer('pubsub', { hosts: [proxy.url] });
    toStop.push(() => receiver.close());
    const channel = await receiver.newChannel();
    await receiver.groupAdd('room_a', channel);
    const client = redis.client();
    await until(async () => (await subscribers(client)) === 1, 'it is subscribed');
    const received = collect(receiver, channel);
    process.kill(receiver.pid, 'SIGSTOP');
    const sent = await flood();
    process.kill(receiver.pid, 'SIGCONT');
    expect(sent).toBeLessThan(MOST);
    await until(async () => (await subscribers(client)) === 1, 'it is back');
    await (await layer('ours')).groupSend('room_a', message(1000));
    await until(() => received.includes(1000), 'it hears again');
    const analysis = await analyzed();
    expect(countsOf(analysis)).toEqual(unread(sent, (count) => received.includes(count)));
    for (const { verdict, cause, explanation } of analysis.findings)
      expect([verdict, cause], explanation).toEqual(['lost', 'output-buffer-overflow']);
  }, 60_000);

  /** A scripted subscriber that stops reading meanwhile; then it reads what is left. */
  async function flooded(limit: string, most = MOST): Promise<{ read: Set<number>; sent: number }> {
    await start([`client-output-buffer-limit pubsub ${limit} 0`]);
    const subscriber = new RawClient(proxy.port);
    toStop.push(() => subscriber.socket.destroy());
    await ask(subscriber, ['SUBSCRIBE', CONSUMER, ROOM], ':2\r\n');
    subscriber.socket.pause();
    const sent = await flood(most);
    subscriber.socket.resume();
    const read = (): Set<number> =>
      new Set(
        [...subscriber.received.toString('latin1').matchAll(/"count":(\d+),"filler":"x{100000}"/g)].map(
          (found) => Number(found[1]),
        ),
      );
    await until(() => subscriber.fate.includes('end') || read().size === sent, 'all was read');
    return { read: read(), sent };
  }

  test('a scripted subscriber does not read, and Redis gives it up', async () => {
    const { read, sent } = await flooded('1mb 0');
    const lost = unread(sent, (count) => read.has(count));
    expect(lost.length).toBeGreaterThan(0);
    const analysis = await analyzed();
    expect(countsOf(analysis)).toEqual(lost);
    for (const { verdict, cause, explanation } of analysis.findings)
      expect([verdict, cause], explanation).toEqual(['lost', 'output-buffer-overflow']);
    expect(redis.log()).toContain('output buffer limits');
  }, 60_000);

  test('innocent twin of output-buffer-overflow: as slow, but within the limit', async () => {
    const { read, sent } = await flooded('64mb 0', 100);
    expect(read.size).toBe(sent);
    const analysis = await analyzed();
    expect(analysis.findings).toEqual([]);
    expect(analysis.summary.delivered).toBe(sent);
  }, 60_000);

  test('innocent twin of output-buffer-overflow: a subscriber that reads is killed; what it was sent before is not lost', async () => {
    await start();
    const [sender, receiver] = [await layer('ours'), await layer('ours')];
    const channel = await receiver.newChannel();
    await receiver.groupAdd('room_a', channel);
    const client = redis.client();
    await until(async () => (await subscribers(client)) === 1, 'the receiver is subscribed');
    const received = collect(receiver, channel);
    const sent = await sendUntil(sender, 0, () => received.length > 5);
    await until(() => sent.every((count) => received.includes(count)), 'all was received');
    await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    const analysis = await analyzed();
    expect(analysis.findings).toEqual([]);
    expect(analysis.summary.delivered).toBe(sent.length);
  }, 60_000);
});

describe('subscribe-race', () => {
  /**
   * A scripted process as channels_redis.pubsub 4.0.0, whose `group_add` has returned when SUBSCRIBE is sent: Redis gets to it only when
   * the BLPOP before it is over. RESP3, where a connection may do both.
   */
  async function joining(release: 'before' | 'after'): Promise<void> {
    await start();
    const joiner = new RawClient(proxy.port);
    toStop.push(() => joiner.socket.destroy());
    await ask(joiner, ['HELLO', '3'], 'modules');
    const client = redis.client();
    joiner.socket.write(Buffer.concat([request('BLPOP', 'busy', '0'), request('SUBSCRIBE', CONSUMER, ROOM)]));
    await until(async () => ((await client.client('LIST')) as string).includes('cmd=blpop'), 'it is busy');
    const publish = async (): Promise<void> => {
      const publisher = new RawClient(proxy.port);
      toStop.push(() => publisher.socket.destroy());
      await ask(publisher, ['PUBLISH', ROOM, payload(3)], '\r\n');
    };
    if (release === 'after') await publish();
    await client.rpush('busy', 'go');
    await joiner.until(':2\r\n');
    if (release === 'before') {
      await publish();
      await joiner.until('"count":3');
    }
  }

  test('published after a process had asked to be subscribed, and before Redis confirmed it', async () => {
    await joining('after');
    const analysis = await analyzed(gap(3));
    expect(analysis.findings).toMatchObject([
      { count: 3, verdict: 'not-addressed', cause: 'subscribe-race' },
    ]);
  }, 60_000);

  test('without a report it is undecided: what the application meant to come first is not known', async () => {
    await joining('after');
    const { findings } = await analyzed();
    expect(findings).toMatchObject([
      { verdict: 'indeterminate', alternatives: ['subscribe-race', 'recipients-left'] },
    ]);
  }, 60_000);

  test('innocent twin of subscribe-race: published after Redis had confirmed it', async () => {
    await joining('before');
    const analysis = await analyzed();
    expect(analysis.findings).toEqual([]);
    expect(analysis.summary.delivered).toBe(1);
  }, 60_000);
});
