/**
 * The load of a channel layer: messages to a group of ten processes, each of which receives them, command by command what
 * channels_redis sends (server/layers/redis.ts is that layer). Some senders at once, and each sends its next message
 * when the ten have its last one, so that no queue fills up.
 *
 * It runs in Node with ioredis, and costs more than any of the proxies: its rate says less of them than its bytes do.
 */
import { performance } from 'node:perf_hooks';
import { createLayer } from '../server/layers/create.js';
import type { ChannelLayer } from '../server/layers/layer.js';
import { GaptraceError } from '../terminal/errors.js';
import { type LoadFigures, loadFiguresOf } from './load.js';

const GROUP = 'channels_group_bench';
const RECEIVERS = 10;
const SENDERS = 4;
/** To the group: two commands on the group, MULTI, a ZREMRANGEBYSCORE a queue, EXEC, EVAL. To receive: EVAL, BZPOPMIN, ZADD, ZPOPMIN. */
export const OPERATIONS_A_MESSAGE = 5 + RECEIVERS + 4 * RECEIVERS;

interface Chat {
  readonly sender: number;
  readonly sentAtMs: number;
}

/** So many deliveries, rounded up to whole messages. Each is one latency: from `group_send` to the message in the consumer. */
export async function loadLayer(port: number, deliveries: number): Promise<LoadFigures> {
  const messages = Math.ceil(deliveries / RECEIVERS);
  const layers = Array.from({ length: RECEIVERS + 1 }, () =>
    createLayer({ layer: 'redis', hosts: [`redis://127.0.0.1:${port}`] }),
  );
  const [sending, ...receiving] = layers as [ChannelLayer, ...ChannelLayer[]];
  const latenciesMs: number[] = [];
  /** What each sender waits for: how many have not received its last message, and whom to tell. */
  const waiting = new Map<number, { missing: number; done: () => void }>();
  const receiveAll = async (layer: ChannelLayer, channel: string): Promise<void> => {
    for (;;) {
      const { sender, sentAtMs } = JSON.parse(String((await layer.receive(channel)).text_data)) as Chat;
      latenciesMs.push(performance.now() - sentAtMs);
      const its = waiting.get(sender);
      if (its !== undefined && --its.missing === 0) its.done();
    }
  };
  const loops = await Promise.all(
    receiving.map(async (layer) => {
      const channel = await layer.newChannel();
      await layer.groupAdd(GROUP, channel);
      return { ended: receiveAll(layer, channel).catch(unlessClosed) };
    }),
  );

  let sent = 0;
  const sendAll = async (sender: number): Promise<void> => {
    while (sent < messages) {
      const count = sent++;
      const all = new Promise<void>((done) => waiting.set(sender, { missing: RECEIVERS, done }));
      const chat = { my_id: `tester-${sender}`, count, sender, sentAtMs: performance.now() };
      await sending.groupSend(GROUP, {
        type: 'chat_send',
        text_data: JSON.stringify(chat),
        bytes_data: null,
        sender_channel_name: `specific.sender-${sender}`,
      });
      await all;
    }
  };
  const fromMs = performance.now();
  await Promise.all(Array.from({ length: SENDERS }, (_, sender) => sendAll(sender)));
  const seconds = (performance.now() - fromMs) / 1000;

  await sending.flush();
  await Promise.all(layers.map((layer) => layer.close()));
  await Promise.all(loops.map(({ ended }) => ended));
  return loadFiguresOf(latenciesMs, seconds, messages * OPERATIONS_A_MESSAGE);
}

function unlessClosed(error: unknown): void {
  if (!(error instanceof GaptraceError && error.code === 'GAPTRACE_LAYER_CLOSED')) throw error;
}
