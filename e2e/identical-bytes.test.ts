/**
 * Bytes are identical end to end: what each client sent is what arrived at Redis, and what Redis sent is what arrived at each
 * client, by hashing both sides, over pipelines cut at random places, bulks of 64 MB, and pub/sub.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { select, startProxy } from './gaptrace.js';
import { MemoryTape } from './memory-tape.js';
import { startProxied } from './proxied.js';
import { type PrivateRedis, startRedis } from './redis.js';
import { hashLine, startTap, type Tap } from './tap.js';

const SEED = 20_261_123;
const BIG = 64 * 1024 * 1024;

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of cleanUp.splice(0).reverse()) await each();
});

async function startRedisWithTap(): Promise<[PrivateRedis, Tap]> {
  const redis = await startRedis();
  cleanUp.push(() => redis.stop());
  const tap = await startTap(redis.port);
  cleanUp.push(() => tap.stop());
  return [redis, tap];
}

test('without a recorder', async () => {
  const [, tap] = await startRedisWithTap();
  const proxied = await startProxied(tap.url, { tape: new MemoryTape({ keepBytes: false }) });
  cleanUp.push(() => proxied.stop());
  expect(await runWorkload(proxied.port)).toEqual(tap.hashes());
}, 120_000);

test('with latency and jitter', async () => {
  const [, tap] = await startRedisWithTap();
  const latency = { latencyUs: 1_000, jitterUs: 1_000 };
  const proxied = await startProxied(tap.url, { tape: new MemoryTape({ keepBytes: false }), latency });
  cleanUp.push(() => proxied.stop());
  expect(await runWorkload(proxied.port, { bigBulks: false })).toEqual(tap.hashes());
}, 120_000);

test('with the whole program, recording', async () => {
  const [, tap] = await startRedisWithTap();
  const directory = mkdtempSync(join(tmpdir(), 'gaptrace-identical-'));
  cleanUp.push(() => rmSync(directory, { recursive: true }));
  const tracePath = join(directory, 't.db');
  // The observer asks Redis too, through the tap: its line is left out below.
  const proxy = await startProxy(tap.url, tracePath);
  cleanUp.push(() => proxy.stop());
  const hashes = await runWorkload(proxy.port);
  const tapped = tap.hashes();
  expect(tapped.filter((line) => hashes.includes(line))).toEqual(hashes);
  expect(tapped.length).toBe(hashes.length + 1);

  expect(await proxy.stop(), proxy.output()).toEqual({ status: 0, signal: null });
  const [row] = await select<{ connections: number }>(
    tracePath,
    'SELECT count(*) AS connections FROM connection',
  );
  expect(row?.connections).toBe(hashes.length);
}, 180_000);

/** Runs all connections at once; resolves with `hashLine` of each as its client saw it, sorted. */
async function runWorkload(port: number, { bigBulks = true } = {}): Promise<string[]> {
  const subscribed = HashingClient.open(port);
  const subscriber = await subscribed;
  subscriber.send(command('SUBSCRIBE', 'news'));
  await subscriber.until('subscribe');
  const all = [
    ...Array.from({ length: 8 }, (_, index) => pipelines(port, SEED + index)),
    ...(bigBulks ? [bigBulk(port, SEED + 100), bigBulk(port, SEED + 101)] : []),
    publish(port, SEED + 200),
    subscriber.until('end of the news').then(() => subscriber.finish()),
  ];
  return (await Promise.all(all)).sort();
}

async function pipelines(port: number, seed: number): Promise<string> {
  const random = seeded(seed);
  const client = await HashingClient.open(port);
  for (let round = 0; round < 60; round++) {
    const batch = Buffer.concat(
      Array.from({ length: 1 + random(40) }, () => {
        const key = `key:${random(50)}`;
        const value = randomBytes(random, random(10) === 0 ? random(200_000) : random(300));
        return [
          () => command('SET', key, value),
          () => command('GET', key),
          () => command('LPUSH', `list:${random(9)}`, value),
          () => command('LRANGE', `list:${random(9)}`, '0', '20'),
          () => command('INCR', `key:${random(50)}`),
          () => Buffer.from(`ECHO inline${random(1000)}\r\n`),
        ][random(6)]?.() as Buffer;
      }),
    );
    const nonce = `nonce-${seed}-${round}`;
    const bytes = Buffer.concat([batch, command('ECHO', nonce)]);
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + 1 + random(random(2) === 0 ? 20 : 60_000));
      await client.send(bytes.subarray(at, end));
      at = end;
    }
    if (random(3) === 0) await client.until(nonce); // else the next pipeline follows without waiting
  }
  await client.send(command('ECHO', `end-${seed}`));
  await client.until(`end-${seed}`);
  return client.finish();
}

async function bigBulk(port: number, seed: number): Promise<string> {
  const random = seeded(seed);
  const client = await HashingClient.open(port);
  const block = randomBytes(random, 1024 * 1024);
  const value = Buffer.alloc(BIG);
  for (let at = 0; at < BIG; at += block.length) {
    block.writeUInt32LE(random(2 ** 31), random(block.length - 4));
    value.set(block, at);
  }
  await client.send(command('SET', `big:${seed}`, value));
  await client.send(command('GET', `big:${seed}`));
  await client.send(command('ECHO', `end-${seed}`));
  await client.until(`end-${seed}`);
  return client.finish();
}

async function publish(port: number, seed: number): Promise<string> {
  const random = seeded(seed);
  const client = await HashingClient.open(port);
  for (let n = 0; n < 500; n++)
    await client.send(command('PUBLISH', 'news', randomBytes(random, random(5_000))));
  await client.send(command('PUBLISH', 'news', 'end of the news'));
  await client.send(command('ECHO', `end-${seed}`));
  await client.until(`end-${seed}`);
  return client.finish();
}

class HashingClient {
  readonly #socket: Socket;
  readonly #sent = createHash('sha256');
  readonly #received = createHash('sha256');
  #tail = '';
  #heard = (): void => {};

  static async open(port: number): Promise<HashingClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    await once(socket, 'connect');
    return new HashingClient(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received.update(chunk);
      this.#tail = (this.#tail + chunk.subarray(-200).toString('latin1')).slice(-200);
      this.#heard();
    });
  }

  async send(bytes: Buffer): Promise<void> {
    this.#sent.update(bytes);
    if (!this.#socket.write(bytes)) await once(this.#socket, 'drain');
  }

  /** Until the end of what was received has `text` in it: the last reply that is owed. */
  async until(text: string): Promise<void> {
    while (!this.#tail.includes(text)) await new Promise<void>((resolve) => (this.#heard = resolve));
  }

  async finish(): Promise<string> {
    this.#socket.end();
    await once(this.#socket, 'close');
    return hashLine(this.#sent, this.#received);
  }
}

function command(...words: readonly (string | Buffer)[]): Buffer {
  const parts = words.flatMap((word) => [`$${Buffer.byteLength(word)}\r\n`, word, '\r\n']);
  return Buffer.concat(
    [`*${words.length}\r\n`, ...parts].map((part) => (typeof part === 'string' ? Buffer.from(part) : part)),
  );
}

/** Numbers from 0 up to `below`, the same in each run. */
function seeded(seed: number): (below: number) => number {
  let state = seed % 2_147_483_647;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

function randomBytes(random: (below: number) => number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; at++) bytes[at] = random(65_536) >> 4;
  return bytes;
}
