/**
 * Where clients connect: each connection gets a number, a connection to Redis of its own, and a tunnel between the two.
 *
 * The port is bound before the trace exists, so that a port that is taken leaves no file behind; connections that
 * come before `accept` wait.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { GaptraceError } from '../terminal/errors.js';
import type { Log } from '../terminal/log.js';
import { ResetsAfterDelivery } from './delivery.js';
import type { Latency } from './latency.js';
import type { ClosedHow } from './tape.js';
import { printAddress, type Recording, Tunnel, type TunnelEvents } from './tunnel.js';
import { readAccepted } from './unstreamed.js';
import type { Upstream } from './upstream.js';

export interface ListenAddress {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
}

export interface ListenerOptions {
  readonly upstream: Upstream;
  readonly recording: Recording;
  readonly log: Log;
  readonly latency?: Latency | undefined;
  /** A recording that throws: called each time. */
  readonly onRecordingThrew?: (error: unknown) => void;
}

/** As Redis' own `tcp-keepalive`: a client whose machine is gone is noticed, though Redis cannot see it any more. */
const KEEP_ALIVE_MS = 300_000;
/** Between two log lines about connections that Redis closed. */
const QUIET_MS = 10_000;

export class Listener {
  readonly #server: Server;
  readonly #tunnels = new Set<Tunnel>();
  readonly #resets = new ResetsAfterDelivery();
  #early: Socket[] | null = [];
  #options: ListenerOptions | null = null;
  #connections = 0;
  /** Nothing is read, on no connection. */
  #paused = false;
  /** What was last logged about reaching Redis. */
  #upstreamState: string | null = null;
  #closedByRedis = 0;
  #closedByRedisLoggedMs = Number.NEGATIVE_INFINITY;
  #whenEmpty: (() => void) | null = null;

  /** Binds the port. Rejects with GAPTRACE_PORT_TAKEN or GAPTRACE_LISTEN. */
  static async open(address: ListenAddress): Promise<Listener> {
    const server = createServer({
      allowHalfOpen: true,
      pauseOnConnect: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(cannotListen(address, error)));
      server.listen(address.port, address.host, resolve);
    });
    server.removeAllListeners('error');
    return new Listener(server);
  }

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (client) => {
      if (this.#early === null) this.#open(client);
      else this.#early.push(client.on('error', () => {}));
    });
    // Such as EMFILE on accept: that client is turned away, the others go on.
    server.on('error', (error) => this.#options?.log.error(`cannot accept a connection: ${error.message}`));
  }

  /** The bound address, as `127.0.0.1:6380`. */
  get address(): string {
    const address = this.#server.address();
    return address === null || typeof address === 'string'
      ? 'closed'
      : printAddress(address.address, address.port);
  }

  get openConnections(): number {
    return this.#tunnels.size;
  }

  /** From now on connections are forwarded. */
  accept(options: ListenerOptions): void {
    this.#options = options;
    const early = this.#early ?? [];
    this.#early = null;
    for (const client of early) this.#open(client);
  }

  /** Reads nothing more from any client, nor from Redis, until `resume`. Clients can connect meanwhile. */
  pause(): void {
    this.#paused = true;
    for (const tunnel of this.#tunnels) tunnel.hold();
  }

  /** Goes on. Not always with the same connection first: it may not last until the turn of the last one. */
  resume(): void {
    this.#paused = false;
    const tunnels = [...this.#tunnels];
    const first = Math.floor(Math.random() * tunnels.length);
    for (const tunnel of tunnels.slice(first)) tunnel.release();
    for (const tunnel of tunnels.slice(0, first)) tunnel.release();
  }

  /** Accepts no more, closes what is open and resolves when all of it is closed and recorded. */
  async stop(): Promise<void> {
    this.#server.close();
    for (const client of this.#early ?? []) client.destroy();
    for (const tunnel of this.#tunnels) tunnel.stop();
    if (this.#tunnels.size > 0) await new Promise<void>((resolve) => (this.#whenEmpty = resolve));
  }

  #open(client: Socket): void {
    const options = this.#options;
    if (options === null) return;
    const { upstream, recording, latency } = options;
    this.#connections += 1;
    const connection = this.#connections;
    const events: TunnelEvents = {
      connected: () => this.#connected(options),
      redisClosed: (how, detail, connected) => this.#redisClosed(options, connection, how, detail, connected),
      recordingThrew: (error) => options.onRecordingThrew?.(error),
      ended: () => {
        this.#tunnels.delete(tunnel);
        if (this.#tunnels.size === 0) this.#whenEmpty?.();
      },
    };
    const tunnel = new Tunnel({
      connection,
      acceptClient: (read) => readAccepted(client, read),
      connectRedis: (read) => upstream.connect(read),
      redisReady: upstream.address.kind === 'tls' ? 'secureConnect' : 'connect',
      upstreamName: upstream.describe(),
      recording,
      events,
      resets: this.#resets,
      latency,
    });
    this.#tunnels.add(tunnel);
    if (this.#paused) tunnel.hold();
  }

  #connected({ log, upstream }: ListenerOptions): void {
    if (this.#upstreamState !== null) log.info(`${upstream.describe()} can be reached again`);
    this.#upstreamState = null;
  }

  #redisClosed(
    { log, upstream }: ListenerOptions,
    connection: number,
    how: ClosedHow,
    detail: string | undefined,
    connected: boolean,
  ): void {
    const reason = detail ?? how;
    if (!connected) {
      // Once for each change of reason, not for each client that tries.
      if (this.#upstreamState === reason) return;
      this.#upstreamState = reason;
      log.warn(
        `cannot connect to ${upstream.describe()}: ${reason}; clients are turned away until it is back`,
      );
      return;
    }
    this.#closedByRedis += 1;
    if (Date.now() - this.#closedByRedisLoggedMs < QUIET_MS) return;
    this.#closedByRedisLoggedMs = Date.now();
    const others =
      this.#closedByRedis > 1 ? `, and ${this.#closedByRedis - 1} others since the last such line` : '';
    log.info(`Redis closed connection ${connection} (${reason})${others}`);
    this.#closedByRedis = 0;
  }
}

/** `127.0.0.1:6380`, `[::1]:6380`, `localhost:0`. Throws GAPTRACE_LISTEN. */
export function parseListen(text: string): ListenAddress {
  const match = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3]);
  if (match === null || port > 65_535)
    throw new GaptraceError(
      'GAPTRACE_LISTEN',
      `'${text}' is not an address to listen on: give host:port, such as 127.0.0.1:6380 or [::1]:6380 (port 0 picks a free one)`,
    );
  return { host: match[1] ?? match[2] ?? '', port };
}

function cannotListen({ host, port }: ListenAddress, error: NodeJS.ErrnoException): GaptraceError {
  const where = printAddress(host, port);
  if (error.code === 'EADDRINUSE')
    return new GaptraceError(
      'GAPTRACE_PORT_TAKEN',
      `cannot listen on ${where}: the port is taken; stop what listens there, or give another one (--listen ${printAddress(host, 0)} picks a free one)`,
      { cause: error },
    );
  return new GaptraceError(
    'GAPTRACE_LISTEN',
    `cannot listen on ${where}: ${error.code ?? error.message}; see --listen`,
    {
      cause: error,
    },
  );
}
