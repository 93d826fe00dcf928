/** What gaptrace is compared with, and gaptrace. A further peer is one more entry; each start is a fresh process. */
import { writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../demo/redis.js';
import { ServerProcess } from './server-process.js';

export interface RunningPeer {
  /** Where the load goes. */
  readonly port: number;
  /** The process that stands between the load and Redis; null where there is none. */
  readonly server: ServerProcess | null;
  /** Path of the trace that it writes, if it does. */
  readonly trace: string | null;
}

export interface Peer {
  readonly name: string;
  /** `directory` is for its files; it is removed at the end. */
  start(redisPort: number, directory: string): Promise<RunningPeer>;
}

export const DIRECT: Peer = {
  name: 'direct',
  async start(redisPort) {
    return { port: redisPort, server: null, trace: null };
  },
};

export const HAPROXY: Peer = {
  name: 'HAProxy',
  async start(redisPort, directory) {
    const server = await ServerProcess.start({
      name: 'haproxy',
      command: 'haproxy',
      args: (port) => {
        const configuration = join(directory, `haproxy-${port}.cfg`);
        writeFileSync(configuration, haproxyConfiguration(port, redisPort));
        return ['-db', '-f', configuration];
      },
    });
    return { port: server.port, server, trace: null };
  },
};

/** TCP mode, all else as HAProxy has it by default: one thread a core, for one. */
function haproxyConfiguration(listenPort: number, redisPort: number): string {
  return `
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen redis
  bind 127.0.0.1:${listenPort}
  server redis 127.0.0.1:${redisPort}
`;
}

/**
 * twemproxy: it reads the requests of all clients and sends them on over one connection, as Redis clusters were once made of.
 * It proxies only what it can route by one key.
 */
export const NUTCRACKER: Peer = {
  name: 'nutcracker',
  async start(redisPort, directory) {
    const statsPort = await freePort();
    const server = await ServerProcess.start({
      name: 'nutcracker',
      command: 'nutcracker',
      args: (port) => {
        const configuration = join(directory, `nutcracker-${port}.yml`);
        writeFileSync(configuration, nutcrackerConfiguration(port, redisPort));
        return [...['-c', configuration, '-v', '0'], ...['-a', '127.0.0.1', '-s', String(statsPort)]];
      },
    });
    return { port: server.port, server, trace: null };
  },
};

function nutcrackerConfiguration(listenPort: number, redisPort: number): string {
  return `
bench:
  listen: 127.0.0.1:${listenPort}
  redis: true
  preconnect: true
  backlog: 1024
  servers:
    - 127.0.0.1:${redisPort}:1
`;
}

export const BARE_PIPE: Peer = {
  name: 'bare pipe',
  async start(redisPort) {
    const script = fileURLToPath(new URL('bare-pipe.js', import.meta.url));
    const server = await ServerProcess.start({
      name: 'bare pipe',
      command: process.execPath,
      args: (port) => [script, String(port), String(redisPort)],
    });
    return { port: server.port, server, trace: null };
  },
};

export const GAPTRACE: Peer = {
  name: 'gaptrace',
  start: (redisPort, directory) => startGaptrace(redisPort, directory),
};

/** With further flags of `gaptrace proxy`. */
export async function startGaptrace(
  redisPort: number,
  directory: string,
  flags: readonly string[] = [],
): Promise<{ readonly port: number; readonly server: ServerProcess; readonly trace: string }> {
  const script = fileURLToPath(new URL('../cli.js', import.meta.url));
  const trace = join(await mkdtemp(join(directory, 'trace-')), 't.db');
  const upstream = `redis://127.0.0.1:${redisPort}`;
  const server = await ServerProcess.start({
    name: 'gaptrace',
    command: process.execPath,
    args: (port) => [
      ...[script, 'proxy', '--listen', `127.0.0.1:${port}`],
      ...['--upstream', upstream, '--trace', trace, ...flags],
    ],
  });
  return { port: server.port, server, trace };
}

/** The other way to see all that Redis is asked: the load goes straight to Redis, and a client writes its MONITOR to a file. */
export const MONITOR: Peer = {
  name: 'MONITOR',
  async start(redisPort, directory) {
    const script = fileURLToPath(new URL('monitor-to-file.js', import.meta.url));
    const server = await ServerProcess.start({
      name: 'MONITOR to a file',
      command: process.execPath,
      args: (port) => [script, String(port), String(redisPort), join(directory, 'monitor.log')],
    });
    return { port: redisPort, server, trace: null };
  },
};

/** In the order of the tables. */
export const PEERS: readonly Peer[] = [DIRECT, HAPROXY, NUTCRACKER, BARE_PIPE, GAPTRACE, MONITOR];
