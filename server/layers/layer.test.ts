import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type PrivateRedis, startRedis } from '../../e2e/redis.js';
import { createLayer } from './create.js';
import type { ChannelLayer, LayerConfig, LayerNotice, LayerOptions, Message } from './layer.js';

// What the Channels specification promises, of every layer and every way to receive, on a real Redis.

let redis: PrivateRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

type Kind = Pick<LayerConfig, 'layer'> & { readonly receive?: string; readonly protocol?: number };
const kinds: readonly (readonly [string, Kind])[] = [
  ['redis, as channels_redis', { layer: 'redis' }],
  ['redis, as channels_redis, RESP 3', { layer: 'redis', protocol: 3 }],
  ['redis, reliable', { layer: 'redis', receive: 'reliable' }],
  ['redis, reliable, RESP 3', { layer: 'redis', receive: 'reliable', protocol: 3 }],
  ['pubsub', { layer: 'pubsub' }],
  ['pubsub, RESP 3', { layer: 'pubsub', protocol: 3 }],
  ['memory', { layer: 'memory' }],
];

describe.each(kinds)('the layer %s', (_, kind) => {
  const layers: ChannelLayer[] = [];
  afterEach(async () => {
    for (const layer of layers.splice(0)) await layer.close();
    await redis.client().flushall();
  });

  function open(options: LayerOptions = {}): ChannelLayer {
    const hosts = kind.layer === 'memory' ? {} : { hosts: [redis.url] };
    const layer = createLayer({ ...kind, ...hosts, ...options } as LayerConfig);
    layers.push(layer);
    return layer;
  }

  /** Adds them, and waits until Redis has heard: pub/sub does not wait for its confirmation. */
  async function join(layer: ChannelLayer, group: string, ...channels: readonly string[]): Promise<void> {
    for (const channel of channels) await layer.groupAdd(group, channel);
    if (kind.layer === 'pubsub') await subscribed(`asgi__group__${group}`, ...channels);
  }
  async function subscribed(...names: readonly string[]): Promise<void> {
    const heard = async (name: string): Promise<boolean> =>
      ((await redis.client().call('PUBSUB', 'NUMSUB', name)) as [string, number])[1] > 0;
    for (const name of names) while (!(await heard(name))) await sleep(5);
  }
  async function newChannel(layer: ChannelLayer): Promise<string> {
    const channel = await layer.newChannel();
    if (kind.layer === 'pubsub') await subscribed(channel);
    return channel;
  }

  it('brings what msgpack can say from one channel to another, in order', async () => {
    const layer = open();
    const channel = await newChannel(layer);
    const messages: Message[] = [
      { type: 'x', text: 'grüße 🎈', none: null, yes: true, n: -1, half: 0.5, list: [1, { deep: 'er' }] },
      { type: 'bytes', bytes: new Uint8Array([0, 255, 13, 10]) },
      { type: 'big', n: 2n ** 60n },
      { type: 'long', text: 'x'.repeat(100_000) },
      {},
    ];
    for (const message of messages) await layer.send(channel, message);
    for (const message of messages) {
      const { bytes, ...others } = await layer.receive(channel);
      // Bytes may come as a Buffer, which is a Uint8Array.
      expect({ ...others, ...(bytes instanceof Uint8Array ? { bytes: new Uint8Array(bytes) } : {}) }).toEqual(
        message,
      );
    }
  });

  it('keeps the order of many', async () => {
    const layer = open({ capacity: 1_000 });
    const channel = await newChannel(layer);
    await join(layer, 'room', channel);
    for (let count = 0; count < 300; count++) await layer.groupSend('room', { type: 'x', count });
    for (let count = 0; count < 300; count++)
      expect(await layer.receive(channel)).toEqual({ type: 'x', count });
  });

  it('brings a message to a group to each of its members, and to nobody else', async () => {
    const layer = open();
    const [a, b, c] = [await newChannel(layer), await newChannel(layer), await newChannel(layer)];
    await join(layer, 'room', a, b);
    await layer.groupAdd('room', a); // again: still one message
    await layer.groupSend('room', { type: 'x', n: 1 });
    await layer.groupSend('empty', { type: 'x' });
    expect(await Promise.all([layer.receive(a), layer.receive(b)])).toEqual([
      { type: 'x', n: 1 },
      { type: 'x', n: 1 },
    ]);
    await layer.groupDiscard('room', a);
    await layer.groupDiscard('room', a); // again: no error
    await layer.groupDiscard('nobody', a);
    await layer.groupSend('room', { type: 'x', n: 2 });
    expect(await layer.receive(b)).toEqual({ type: 'x', n: 2 });
    for (const channel of [a, c]) {
      await layer.send(channel, { type: 'only' });
      expect(await layer.receive(channel)).toEqual({ type: 'only' });
    }
  });

  it('gives a message to the one who has waited longest', async () => {
    const layer = open();
    const channel = await newChannel(layer);
    const [first, second] = [layer.receive(channel), layer.receive(channel)];
    await layer.send(channel, { type: 'x', n: 1 });
    expect(await first).toEqual({ type: 'x', n: 1 });
    await layer.send(channel, { type: 'x', n: 2 });
    expect(await second).toEqual({ type: 'x', n: 2 });
  });

  it('ends the receive that is cancelled with its reason, and no other', async () => {
    const layer = open();
    const [a, b] = [await newChannel(layer), await newChannel(layer)];
    const [leavingA, leavingB] = [new AbortController(), new AbortController()];
    const [waitingA, waitingB] = [
      layer.receive(a, { signal: leavingA.signal }).catch((error: unknown) => error),
      layer.receive(b, { signal: leavingB.signal }),
    ];
    const reason = new Error('left');
    leavingA.abort(reason);
    expect(await waitingA).toBe(reason);
    await layer.send(b, { type: 'x' });
    expect(await waitingB).toEqual({ type: 'x' });
    leavingB.abort(); // too late to matter
    await expect(layer.receive(a, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('refuses names and messages that are none', async () => {
    const layer = open();
    const channel = await newChannel(layer);
    const named = { code: 'GAPTRACE_LAYER_NAME' };
    await expect(layer.send('no channel', { type: 'x' })).rejects.toMatchObject(named);
    await expect(layer.receive('no channel')).rejects.toMatchObject(named);
    await expect(layer.groupAdd('räume', channel)).rejects.toMatchObject(named);
    await expect(layer.groupAdd('room', 'no channel')).rejects.toMatchObject(named);
    await expect(layer.groupDiscard('room!', channel)).rejects.toMatchObject(named);
    await expect(layer.groupSend('', { type: 'x' })).rejects.toMatchObject(named);
    await expect(layer.newChannel('a b')).rejects.toMatchObject(named);

    const sent = { code: 'GAPTRACE_LAYER_MESSAGE' };
    await join(layer, 'room', channel);
    for (const message of [null, 'text', [1], { __asgi_channel__: 'x' }] as unknown as Message[]) {
      await expect(layer.send(channel, message)).rejects.toMatchObject(sent);
      await expect(layer.groupSend('room', message)).rejects.toMatchObject(sent);
    }
  });

  it('flush forgets messages and groups, and the layer can be used on', async () => {
    const layer = open();
    const channel = await newChannel(layer);
    await join(layer, 'room', channel);
    await layer.send(channel, { type: 'old' });
    await layer.flush();
    await layer.groupSend('room', { type: 'old' });
    const again = await newChannel(layer);
    await join(layer, 'room', again);
    await layer.groupSend('room', { type: 'new' });
    expect(await layer.receive(again)).toEqual({ type: 'new' });
  });

  it('close ends what waits, and what comes after; twice is no harm', async () => {
    const layer = open();
    const channel = await newChannel(layer);
    const waiting = [layer.receive(channel), layer.receive(channel)].map((each) =>
      each.catch((error: unknown) => error),
    );
    await layer.check();
    await layer.close();
    await layer.close();
    const closed = { code: 'GAPTRACE_LAYER_CLOSED' };
    for (const error of await Promise.all(waiting)) expect(error).toMatchObject(closed);
    await expect(layer.receive(channel)).rejects.toMatchObject(closed);
    await expect(layer.groupSend('room', { type: 'x' })).rejects.toMatchObject(closed);
    await expect(layer.send(channel, { type: 'x' })).rejects.toMatchObject(closed);
    await expect(layer.check()).rejects.toMatchObject(closed);
  });

  // Pub/sub stores nothing, so nothing is full.
  if (kind.layer === 'pubsub') return;
  it('refuses what is over the capacity, and passes a full channel of a group over', async () => {
    const notices: LayerNotice[] = [];
    const layer = open({
      capacity: 2,
      channelCapacity: [['big.*', 3]],
      onNotice: (notice) => notices.push(notice),
    });
    const [channel, big] = [await layer.newChannel(), await layer.newChannel('big')];
    for (const n of [1, 2]) await layer.send(channel, { type: 'x', n });
    await expect(layer.send(channel, { type: 'x', n: 3 })).rejects.toMatchObject({
      code: 'GAPTRACE_LAYER_FULL',
      channel,
      capacity: 2,
    });
    await join(layer, 'room', channel, big);
    expect(notices).toEqual([]);
    for (const n of [4, 5, 6, 7]) await layer.groupSend('room', { type: 'x', n });
    expect(notices.map(({ event }) => event)).toEqual(Array(4).fill('over-capacity'));
    expect(notices.map(({ message }) => message.split(' were')[0])).toEqual(
      [1, 1, 1, 2].map((full) => expect.stringMatching(`^${full} of 2 `)),
    );
    const received = [await layer.receive(channel), await layer.receive(channel)];
    for (let i = 0; i < 3; i++) received.push(await layer.receive(big));
    expect(received.map(({ n }) => n)).toEqual([1, 2, 4, 5, 6]);
    // There is room again.
    await layer.send(channel, { type: 'x', n: 8 });
    expect(await layer.receive(channel)).toEqual({ type: 'x', n: 8 });
  });
});
