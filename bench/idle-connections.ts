/** What a connection costs that does nothing: memory of a proxy before and after thousands of them, each of which has said PING once. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Peer } from './peers.js';
import { readRss } from './process-cost.js';

export interface IdleFigures {
  readonly peer: string;
  readonly connections: number;
  readonly rssBeforeBytes: number;
  readonly rssAfterBytes: number;
}

/** Opened at a time. */
const OPENING = 100;
/** Each connection needs two in a proxy; the rest is for everything else. */
const FILES_BESIDES = 64;

export async function measureIdle(
  peer: Peer,
  { connections, settleMs }: { readonly connections: number; readonly settleMs: number },
  redisPort: number,
  directory: string,
): Promise<IdleFigures> {
  const { port, server } = await peer.start(redisPort, directory);
  if (server === null) throw new Error(`${peer.name} is no process of its own`);
  // What the first connections need once is not counted against the others.
  close(await openAll(port, OPENING));
  await sleep(settleMs);
  const rssBeforeBytes = readRss(server.pid) ?? 0;
  const sockets = await openAll(port, connections);
  await sleep(settleMs);
  const rssAfterBytes = readRss(server.pid) ?? 0;
  close(sockets);
  await server.stop();
  return { peer: peer.name, connections, rssBeforeBytes, rssAfterBytes };
}

/** As many as this process and those it starts may have of so many connections; the limit of open files is raised where that is allowed. */
export async function connectionsAllowed(wanted: number): Promise<number> {
  const files = 2 * wanted + FILES_BESIDES;
  if (filesAllowed() < files)
    await promisify(execFile)('prlimit', [
      ...['--pid', String(process.pid)],
      `--nofile=${files}:${files}`,
    ]).catch(() => {});
  return Math.min(wanted, Math.floor((filesAllowed() - FILES_BESIDES) / 2));
}

function filesAllowed(): number {
  const limit = /^Max open files +(\w+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
}

async function openAll(port: number, connections: number): Promise<readonly Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < connections) {
    const count = Math.min(OPENING, connections - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: count }, () => open(port)))));
  }
  return sockets;
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  await once(socket, 'connect');
  socket.write('*1\r\n$4\r\nPING\r\n');
  const [reply] = (await once(socket, 'data')) as [Buffer];
  if (reply.toString() !== '+PONG\r\n') throw new Error(`PING was answered with ${reply.toString()}`);
  return socket;
}

function close(sockets: readonly Socket[]): void {
  for (const socket of sockets) socket.destroy();
}
