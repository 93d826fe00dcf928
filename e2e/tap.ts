/** A tap between the proxy and Redis: forwards, and hashes what it saw in each direction, connection by connection. */
import { createHash, type Hash } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface Tap {
  /** The upstream to give to the proxy. */
  readonly url: string;
  /** For each connection that is over: the hash of its bytes to Redis and from Redis, as one line. Sorted. */
  hashes(): string[];
  stop(): Promise<void>;
}

export async function startTap(redisPort: number): Promise<Tap> {
  const seen: { readonly toRedis: Hash; readonly fromRedis: Hash }[] = [];
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (proxy) => {
    const redis = connect({ port: redisPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const hashes = { toRedis: createHash('sha256'), fromRedis: createHash('sha256') };
    seen.push(hashes);
    sockets.push(proxy, redis);
    for (const [from, to, hash] of [
      [proxy, redis, hashes.toRedis],
      [redis, proxy, hashes.fromRedis],
    ] as const) {
      from.on('data', (chunk) => hash.update(chunk));
      from.pipe(to);
      from.on('error', () => to.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    url: `redis://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    hashes: () => seen.map(({ toRedis, fromRedis }) => hashLine(toRedis.copy(), fromRedis.copy())).sort(),
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

export function hashLine(toRedis: Hash, fromRedis: Hash): string {
  return `${toRedis.digest('hex')} ${fromRedis.digest('hex')}`;
}
