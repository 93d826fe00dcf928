/** The Django Channels chat server of server/django, on a free port, started as its users do. */
import { join } from 'node:path';
import { type Program, ROOT, startProgram } from './processes.js';

export interface Daphne extends Program {
  /** `ws://127.0.0.1:PORT` */
  readonly url: string;
}

/**
 * Starts it on the Redis (or proxy) at `redisUrl`. Debian's interpreter, by its path: channels_redis is a Debian
 * package, and another python3 that comes first on PATH does not see it.
 */
export async function startDaphne(redisUrl: string): Promise<Daphne> {
  const program = await startProgram({
    name: 'daphne',
    command: '/usr/bin/python3',
    args: ['-m', 'daphne', '--bind', '127.0.0.1', '--port', '0', 'asgi:application'],
    cwd: join(ROOT, 'server/django'),
    env: { REDIS_URL: redisUrl, PYTHONDONTWRITEBYTECODE: '1' },
    ready: /Listening on TCP address 127\.0\.0\.1:(\d+)/,
  });
  return { ...program, url: `ws://127.0.0.1:${program.ready[1]}` };
}
