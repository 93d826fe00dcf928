/**
 * What a real Redis says to a script of commands on a raw connection, both sides' bytes in their order: the material for tests of
 * what reads the wire.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { request } from '../proxy/wire/splits.js';
import type { PrivateRedis } from './redis.js';

/** Bytes of one side, as they were read. */
export interface Said {
  readonly from: 'client' | 'redis';
  readonly bytes: Buffer;
}

/** A raw connection that notes what both sides say. */
export class Recorded {
  readonly said: Said[] = [];
  private readonly socket: Socket;
  private since = '';
  private closed = false;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (bytes) => {
      this.said.push({ from: 'redis', bytes });
      this.since += bytes.toString('latin1');
    });
    this.socket.on('close', () => {
      this.closed = true;
    });
    this.socket.on('error', () => {});
  }

  /** Sends bytes, and waits until what came since then ends with `end`, or the connection is closed. */
  async say(bytes: Buffer | string, end: string | RegExp): Promise<void> {
    this.since = '';
    if (bytes.length > 0) {
      this.said.push({ from: 'client', bytes: Buffer.from(bytes) });
      this.socket.write(bytes);
    }
    await this.hear(end);
  }

  /** Waits until what came since the last `say` ends with `end`. */
  async hear(end: string | RegExp): Promise<void> {
    const isThere = () => (typeof end === 'string' ? this.since.endsWith(end) : end.test(this.since));
    const deadline = Date.now() + 5000;
    while (!isThere() && !this.closed) {
      if (Date.now() > deadline)
        throw new Error(`waited for ${String(end)}, got ${JSON.stringify(this.since)}`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  async end(): Promise<void> {
    if (this.closed) return;
    this.socket.end();
    await once(this.socket, 'close');
  }
}

/** A step: what to send (a line is a request of its words; `;` pipelines), and how the answer ends. */
export type Step =
  | readonly [send: string | Buffer, end: string | RegExp]
  | { readonly other: string; readonly end: string | RegExp };

export function bytesOf(send: string | Buffer): Buffer {
  if (Buffer.isBuffer(send)) return send;
  return Buffer.concat(send.split(' ; ').map((line) => request(...line.split(' '))));
}

/** Runs a script on a connection of its own. `other` is a command that another client sends in between. */
export async function record(redis: PrivateRedis, steps: readonly Step[]): Promise<Said[]> {
  const connection = new Recorded(redis.port);
  const other = redis.client();
  try {
    await other.ping(); // what it says as it connects is over before anyone says MONITOR
    for (const step of steps) {
      if ('other' in step) {
        const [command = '', ...args] = step.other.split(' ');
        await connection.say('', '');
        await other.call(command, ...args);
        await connection.hear(step.end);
      } else {
        await connection.say(bytesOf(step[0]), step[1]);
      }
    }
  } finally {
    await connection.end();
    other.disconnect();
  }
  return connection.said;
}
