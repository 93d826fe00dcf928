/**
 * The floor for any proxy written for Node: two sockets piped into each other, with TCP_NODELAY and half-close, and
 * nothing recorded. What gaptrace costs on top of this is what recording costs.
 *
 *   node dist/bench/bare-pipe.js LISTEN_PORT REDIS_PORT
 */
import { connect, createServer } from 'node:net';

const [listenPort, redisPort] = process.argv.slice(2).map(Number);
if (!listenPort || !redisPort) throw new Error('usage: bare-pipe LISTEN_PORT REDIS_PORT');

createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
  const redis = connect({ host: '127.0.0.1', port: redisPort, allowHalfOpen: true, noDelay: true });
  client.pipe(redis).pipe(client);
  client.on('error', () => redis.destroy());
  redis.on('error', () => client.destroy());
}).listen(listenPort, '127.0.0.1');
