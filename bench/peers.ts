/** What gaptrace is compared with, and gaptrace. A further peer is one more entry; each start is a fresh process. */
import { writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
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
  async start(redisPort, directory) {
    const script = fileURLToPath(new URL('../cli.js', import.meta.url));
    const trace = join(await mkdtemp(join(directory, 'trace-')), 't.db');
    const upstream = `redis://127.0.0.1:${redisPort}`;
    const server = await ServerProcess.start({
      name: 'gaptrace',
      command: process.execPath,
      args: (port) => [
        ...[script, 'proxy', '--listen', `127.0.0.1:${port}`],
        ...['--upstream', upstream, '--trace', trace],
      ],
    });
    return { port: server.port, server, trace };
  },
};

/** In the order of the tables. */
export const PEERS: readonly Peer[] = [DIRECT, HAPROXY, BARE_PIPE, GAPTRACE];
