/**
 * What MONITOR says goes into a file, byte by byte, at the least cost: nothing is parsed. On SIGTERM it takes what Redis still has for it,
 * and ends.
 *
 *   node dist/bench/monitor-to-file.js READY_PORT REDIS_PORT FILE
 *
 * READY_PORT accepts connections once Redis is monitored.
 */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { connect, createServer } from 'node:net';

const [readyPort, redisPort] = process.argv.slice(2).map(Number);
const file = process.argv[4];
if (!readyPort || !redisPort || file === undefined)
  throw new Error('usage: monitor-to-file READY_PORT REDIS_PORT FILE');

const redis = connect({ host: '127.0.0.1', port: redisPort });
redis.write('MONITOR\r\n');
await once(redis, 'readable');
redis.pipe(createWriteStream(file)).once('finish', () => process.exit(0));
createServer((socket) => socket.destroy()).listen(readyPort, '127.0.0.1');
// Redis answers it when all that was monitored before is out, and closes.
process.once('SIGTERM', () => redis.write('QUIT\r\n'));
