/** The Django Channels chat server of server/django, on a free port, started as its users do. */
import { join } from 'node:path';
import { type Exit, type Program, ROOT, startProgram } from './programs.js';

export interface DjangoServer extends Program {
  /** `ws://127.0.0.1:PORT` */
  readonly url: string;
}

/**
 * Starts it on the Redis (or proxy) at `redisUrl`. Debian's interpreter, by its path: channels_redis is a Debian
 * package, and another python3 that comes first on PATH does not see it. `env` as server/django/asgi.py describes it.
 */
export async function startDjango(
  redisUrl: string,
  {
    by = 'daphne',
    env = {},
  }: { readonly by?: 'daphne' | 'uvicorn'; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<DjangoServer> {
  const [bind, ready] =
    by === 'daphne'
      ? ['--bind', /Listening on TCP address 127\.0\.0\.1:(\d+)/]
      : ['--host', /Uvicorn running on http:\/\/127\.0\.0\.1:(\d+)/];
  const program = await startProgram({
    name: by,
    command: '/usr/bin/python3',
    args: ['-m', by, bind, '127.0.0.1', '--port', '0', 'asgi:application'],
    cwd: join(ROOT, 'server/django'),
    env: { REDIS_URL: redisUrl, PYTHONDONTWRITEBYTECODE: '1', ...env },
    ready,
  });
  const url = `ws://127.0.0.1:${program.ready[1]}`;
  return by === 'daphne'
    ? { ...program, url }
    : { ...program, url, stop: (signal) => stopUvicorn(program, signal) };
}

/**
 * Uvicorn waits for its consumers without end, and Channels leaves one behind now and then: one that was receiving for all when
 * its client left. Uvicorn says that it waits, and takes a second signal for it ("CTRL+C to force quit"): SIGINT, or what `again` says where a
 * script stands before it.
 */
export async function stopUvicorn(
  program: Program,
  signal?: NodeJS.Signals,
  again: NodeJS.Signals = 'SIGINT',
): Promise<Exit> {
  const hurrying = setInterval(() => {
    if (!program.output().includes('Waiting for background tasks to complete')) return;
    clearInterval(hurrying);
    try {
      process.kill(program.pid, again);
    } catch {
      // it has ended meanwhile
    }
  }, 100);
  return program.stop(signal).finally(() => clearInterval(hurrying));
}
