/** What tests of the forwarding path need: a listener in this process, a client that speaks raw bytes, a fake Redis. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Latency } from '../proxy/latency.js';
import { Listener } from '../proxy/listener.js';
import type { Recording } from '../proxy/tunnel.js';
import { Upstream } from '../proxy/upstream.js';
import { createLog } from '../terminal/log.js';
import { MemoryTape } from './memory-tape.js';

export interface Proxied {
  readonly listener: Listener;
  readonly tape: MemoryTape;
  readonly port: number;
  /** Lines that the proxy has logged. */
  readonly log: string[];
  stop(): Promise<void>;
}

/** A proxy without a trace: the listener and its tunnels, recording into `tape` (or `recording`). */
export async function startProxied(
  url: string,
  options: {
    readonly latency?: Latency;
    readonly recording?: Recording;
    readonly tape?: MemoryTape;
    readonly onRecordingThrew?: (error: unknown) => void;
  } = {},
): Promise<Proxied> {
  const listener = await Listener.open({ host: '127.0.0.1', port: 0 });
  const tape = options.tape ?? new MemoryTape();
  const log: string[] = [];
  listener.accept({
    upstream: Upstream.parse(url),
    recording: options.recording ?? tape,
    log: createLog((text) => log.push(text), {}),
    latency: options.latency,
    ...(options.onRecordingThrew === undefined ? {} : { onRecordingThrew: options.onRecordingThrew }),
  });
  return {
    listener,
    tape,
    port: Number(listener.address.split(':').at(-1)),
    log,
    stop: () => listener.stop(),
  };
}

/** A client that writes bytes and looks at what has come back. */
export class RawClient {
  readonly socket: Socket;
  received = Buffer.alloc(0);
  /** What has happened to the connection: `end`, `ECONNRESET`, … , `close`. */
  readonly fate: string[] = [];

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    this.socket.on('data', (chunk) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    this.socket.on('end', () => this.fate.push('end'));
    this.socket.on('error', (error: NodeJS.ErrnoException) => this.fate.push(error.code ?? error.message));
    this.socket.on('close', () => this.fate.push('close'));
  }

  /** Resolves with all that was received once `text` is in it. */
  async until(text: string): Promise<string> {
    while (!this.received.includes(text)) await Promise.race([once(this.socket, 'data'), this.#gone()]);
    return this.received.toString('latin1');
  }

  async ask(request: string, answer: string): Promise<string> {
    this.socket.write(request);
    return this.until(answer);
  }

  /** The proxy has sent its FIN. */
  async ended(): Promise<void> {
    if (!this.fate.includes('end')) await once(this.socket, 'end');
  }

  async closed(): Promise<void> {
    if (!this.fate.includes('close')) await once(this.socket, 'close').catch(() => this.closed());
  }

  async #gone(): Promise<never> {
    await this.closed();
    throw new Error(
      `the connection is gone (${this.fate.join(', ')}) after ${this.received.toString('latin1')}`,
    );
  }
}

/** Stands for Redis where a real one cannot be made to do it: reset at a given byte, send without being asked. */
export class FakeRedis {
  readonly url: string;
  readonly #server: Server;
  readonly #sockets: Socket[] = [];
  #waiters: ((socket: Socket) => void)[] = [];

  static async start(): Promise<FakeRedis> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FakeRedis(server);
  }

  private constructor(server: Server) {
    this.#server = server;
    const address = server.address();
    this.url = `redis://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    server.on('connection', (socket) => {
      socket.on('error', () => {});
      this.#sockets.push(socket);
      for (const waiter of this.#waiters.splice(0)) waiter(socket);
    });
  }

  /** The next connection. */
  connection(): Promise<Socket> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
