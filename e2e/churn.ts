/**
 * Consumers that come and go on a channel layer while one sender counts: what the stable consumers get of it.
 *
 * Each consumer that leaves does what Django Channels does when a WebSocket closes: it discards itself from its group, perhaps tells the
 * others, and only then is its `receive` cancelled. Everything that is drawn is drawn from the seed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { randomStream } from '../clients/random.js';
import type { ChannelLayer as FullLayer } from '../server/layers/layer.js';

/** What the real Python layer can do too. */
type ChannelLayer = Omit<FullLayer, 'check'>;

export interface ChurnOptions {
  readonly seed: number;
  /** Messages that the sender sends to the stable consumers' group. */
  readonly messages: number;
  /** Between two messages, in ms. */
  readonly everyMs: number;
  /** Consumers that stay, and consumers that come and go. */
  readonly stable: number;
  readonly churning: number;
  /** How long one that comes stays at most, in ms. */
  readonly stayMs: number;
  /** They tell their room that they come and go, as a chat does: two more messages each. */
  readonly announce: boolean;
}

export interface ChurnResult {
  /** For each stable consumer the counts that it got, in its order. */
  readonly received: readonly (readonly number[])[];
  /** How many consumers left. */
  readonly departures: number;
}

/** Runs it to its end: every message that survived has been received. */
export async function churn(
  layer: ChannelLayer,
  sender: ChannelLayer,
  options: ChurnOptions,
): Promise<ChurnResult> {
  const random = randomStream(options.seed, 'churn');
  const channels = await Promise.all(
    Array.from({ length: options.stable }, async () => {
      const channel = await layer.newChannel();
      await layer.groupAdd('stable', channel);
      return channel;
    }),
  );
  const readers = channels.map((channel) => countsOf(layer, channel));

  const sending = new AbortController();
  let departures = 0;
  const churners = Array.from({ length: options.churning }, async () => {
    while (!sending.signal.aborted) {
      await comeAndGo(layer, Math.ceil(random() * options.stayMs), options.announce);
      departures++;
    }
  });
  for (let count = 0; count < options.messages; count++) {
    await sender.groupSend('stable', { type: 'x', count });
    await sleep(options.everyMs);
  }
  sending.abort();
  await Promise.all(churners);
  // It arrives last, for a queue is in the order of sending. Nobody leaves any more, but a connection that was cut may still be
  // open in Redis for a moment, so the end is said until it is heard.
  const received = Promise.all(readers);
  for (let heard = false; !heard; ) {
    await sender.groupSend('stable', { type: 'end' });
    heard = await Promise.race([received.then(() => true), sleep(500, false)]);
  }
  return { received: await received, departures };
}

/** What a consumer that stays has counted when the end comes. */
async function countsOf(layer: ChannelLayer, channel: string): Promise<number[]> {
  const counts: number[] = [];
  for (;;) {
    const message = await layer.receive(channel);
    if (message.type === 'end') return counts;
    counts.push(Number(message.count));
  }
}

/** A consumer of another room, for so many ms. */
async function comeAndGo(layer: ChannelLayer, stayMs: number, announce: boolean): Promise<void> {
  const channel = await layer.newChannel();
  const leaving = new AbortController();
  await layer.groupAdd('churn', channel);
  if (announce) await layer.groupSend('churn', { type: 'connect', channel });
  const reading = (async () => {
    while (!leaving.signal.aborted) await layer.receive(channel, { signal: leaving.signal });
  })().catch((error: unknown) => {
    if (!leaving.signal.aborted) throw error;
  });
  await sleep(stayMs);
  await layer.groupDiscard('churn', channel);
  if (announce) await layer.groupSend('churn', { type: 'disconnect', channel });
  leaving.abort();
  await reading;
}
