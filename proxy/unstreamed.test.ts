import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { pauseReading, readAccepted } from './unstreamed.js';

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** Both ends of one connection, the accepted one paused. */
async function pair(): Promise<{ readonly client: Socket; readonly accepted: Socket }> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepting = once(server, 'connection');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {});
  const [accepted] = (await accepting) as [Socket];
  stops.push(() => {
    client.destroy();
    accepted.destroy();
    server.close();
  });
  return { client, accepted };
}

async function until(met: () => boolean): Promise<void> {
  while (!met()) await new Promise((resolve) => setTimeout(resolve, 5));
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 50));

describe.each([
  ['past its stream', (accepted: Socket) => accepted],
  // A Node that has no such thing.
  ['as a stream', (accepted: Socket) => hiding(accepted)],
])('read %s', (_how, asGiven) => {
  test('gives what came before and after it was resumed, each chunk to keep, and none while paused', async () => {
    const { client, accepted } = await pair();
    client.write('one');
    await pause();
    const chunks: Buffer[] = [];
    const socket = readAccepted(asGiven(accepted), (chunk) => chunks.push(chunk));
    stops.push(() => socket.destroy());
    await pause();
    expect(chunks).toEqual([]);
    socket.resume();
    await until(() => chunks.length === 1);
    client.write('two');
    await until(() => chunks.length === 2);
    expect(chunks.map(String)).toEqual(['one', 'two']);
    pauseReading(socket);
    client.write('three');
    await pause();
    expect(chunks.length).toBe(2);
    socket.resume();
    await until(() => chunks.length === 3);
  });

  test('gives nothing that comes after it was resumed and paused in one turn', async () => {
    const { client, accepted } = await pair();
    const chunks: Buffer[] = [];
    const socket = readAccepted(asGiven(accepted), (chunk) => chunks.push(chunk));
    stops.push(() => socket.destroy());
    socket.resume();
    pauseReading(socket);
    client.write('one');
    await pause();
    expect(chunks).toEqual([]);
    socket.resume();
    await until(() => chunks.length === 1);
  });

  test('can be written to after the other side has ended, and ends', async () => {
    const { client, accepted } = await pair();
    const socket = readAccepted(asGiven(accepted), () => {});
    socket.resume();
    const got: Buffer[] = [];
    client.on('data', (chunk) => got.push(chunk));
    const ended = once(socket, 'end');
    client.end('last words');
    await ended;
    socket.end('answer');
    await once(client, 'close');
    expect(Buffer.concat(got).toString()).toBe('answer');
  });

  test('says that the other side has reset it', async () => {
    const { client, accepted } = await pair();
    const socket = readAccepted(asGiven(accepted), () => {});
    const failed = once(socket, 'error');
    socket.resume();
    client.resetAndDestroy();
    expect(((await failed) as [NodeJS.ErrnoException])[0].code).toBe('ECONNRESET');
  });
});

test('this Node reads past the stream: else recording costs more', async () => {
  const { accepted } = await pair();
  const socket = readAccepted(accepted, () => {});
  stops.push(() => socket.destroy());
  expect(socket).not.toBe(accepted);
  expect(socket.remotePort).toBeGreaterThan(0);
});

test('one that is closed already stays what it is', async () => {
  const { accepted } = await pair();
  accepted.destroy();
  expect(readAccepted(accepted, () => {})).toBe(accepted);
});

function hiding(accepted: Socket): Socket {
  const { _handle } = accepted as unknown as { _handle: object };
  Object.defineProperty(_handle, 'useUserBuffer', { value: undefined });
  return accepted;
}
