/**
 * The load of pub/sub: one publisher, fifty subscribers of its channel, some messages under way at a time. Sockets and counted
 * bytes, without a Redis client, so that the load costs as little as it can.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { type LoadFigures, loadFiguresOf } from './load.js';

const SUBSCRIBERS = 50;
const UNDER_WAY = 8;
const CHANNEL = 'bench';
const PAYLOAD = 'x'.repeat(256);

const PUBLISH = frame('PUBLISH', CHANNEL, PAYLOAD);
/** Three elements: the number of its channels is behind the two. */
const SUBSCRIBED_BYTES = frame('subscribe', CHANNEL).length + ':1\r\n'.length;
const MESSAGE_BYTES = frame('message', CHANNEL, PAYLOAD).length;

/** So many deliveries, rounded up to whole messages. Each is one latency: from the PUBLISH written to the message read. */
export async function loadFanOut(port: number, deliveries: number): Promise<LoadFigures> {
  const messages = Math.ceil(deliveries / SUBSCRIBERS);
  const publisher = await open(port);
  publisher.resume();
  const subscribers = await Promise.all(Array.from({ length: SUBSCRIBERS }, () => open(port)));
  await Promise.all(subscribers.map(subscribe));

  const latenciesMs: number[] = [];
  const sentAtMs: number[] = [];
  const fromMs = performance.now();
  await new Promise<void>((resolve, reject) => {
    const publish = (): void => {
      while (
        sentAtMs.length < messages &&
        sentAtMs.length - Math.floor(latenciesMs.length / SUBSCRIBERS) < UNDER_WAY
      ) {
        sentAtMs.push(performance.now());
        publisher.write(PUBLISH);
      }
    };
    for (const socket of [publisher, ...subscribers])
      socket.once('close', () => reject(new Error('a connection of the pub/sub load was closed')));
    for (const subscriber of subscribers) {
      let bytes = 0;
      subscriber.on('data', (chunk) => {
        const had = Math.floor(bytes / MESSAGE_BYTES);
        bytes += chunk.length;
        const nowMs = performance.now();
        for (let at = had; at < Math.floor(bytes / MESSAGE_BYTES); at++)
          latenciesMs.push(nowMs - (sentAtMs[at] ?? nowMs));
        if (latenciesMs.length === messages * SUBSCRIBERS) resolve();
        else publish();
      });
    }
    publish();
  });
  const seconds = (performance.now() - fromMs) / 1000;
  for (const socket of [publisher, ...subscribers]) socket.destroy();
  return loadFiguresOf(latenciesMs, seconds, messages);
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  await once(socket, 'connect');
  return socket;
}

async function subscribe(socket: Socket): Promise<void> {
  socket.write(frame('SUBSCRIBE', CHANNEL));
  let bytes = 0;
  while (bytes < SUBSCRIBED_BYTES) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    bytes += chunk.length;
  }
  if (bytes !== SUBSCRIBED_BYTES) throw new Error(`SUBSCRIBE was answered with ${bytes} bytes`);
}

function frame(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}
