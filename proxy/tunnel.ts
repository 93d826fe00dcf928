/**
 * A tunnel: two sockets, one pair. What the client sends goes to Redis and what Redis sends goes to the client,
 * unchanged, in the same turn of the event loop; then a copy goes onto the tape. Forwarding comes first and knows
 * nothing of what the bytes mean.
 *
 *   client --- read ---> #readClient ---> redis        a full socket pauses the other one (backpressure)
 *   client <--- read --- #readRedis <---- redis
 *
 * `hold` stops reading on both sides, `release` goes on: for a recorder that has no memory left, where the user wants that.
 *
 * How the sides close is evidence, so it is passed on as faithfully as sockets allow:
 *
 * - FIN of the client: Redis gets a FIN and is read until it closes. What it still answers to a client that is
 *   half gone is forwarded, and recorded either way.
 * - Reset of the client: Redis gets a FIN, not a reset, and is read until it closes. A reset would make our own kernel
 *   throw away a reply that is under way, and a reply to nobody is just what a lost message looks like.
 * - FIN of Redis: the client gets a FIN after all that was read. If it goes on sending, Redis' kernel answers with a
 *   reset, and the next rule applies.
 * - Reset of Redis, or no Redis to connect to: the client is reset, after what was read has been delivered
 *   (delivery.ts), for Redis has acknowledged bytes to Redis' kernel that a direct client would have got.
 */
import type { Socket } from 'node:net';
import type { ResetsAfterDelivery } from './delivery.js';
import { DelayedOutlet, isFull, type Latency, type Outlet } from './latency.js';
import type { ClosedBody, ClosedBy, ClosedHow, OpenedBody } from './tape.js';
import { pauseReading } from './unstreamed.js';

/** What a tunnel tells the recorder. The methods copy what they keep, return at once and do not throw. */
export interface Recording {
  /** Whole microseconds since the trace's start, monotonic. */
  nowUs(): number;
  opened(connection: number, atUs: number, body: OpenedBody): void;
  clientBytes(connection: number, atUs: number, chunk: Uint8Array): void;
  /** `flushed`: the client's kernel has taken these bytes, and all before, in the same turn. */
  redisBytes(connection: number, atUs: number, chunk: Uint8Array, flushed: boolean): void;
  /** The client's kernel has by now taken `totalBytes` of all that was read from Redis on this connection. */
  flushed(connection: number, atUs: number, totalBytes: number): void;
  closed(connection: number, atUs: number, body: ClosedBody): void;
  ended(connection: number, atUs: number): void;
}

/** What a tunnel tells whoever opened it. */
export interface TunnelEvents {
  /** The connection to Redis stands. */
  connected(): void;
  /** Redis closed first; `connected` is false where it could not be reached at all. */
  redisClosed(how: ClosedHow, detail: string | undefined, connected: boolean): void;
  /** A recording that throws is a bug; traffic goes on. */
  recordingThrew(error: unknown): void;
  /** Both sockets are closed. */
  ended(): void;
}

export interface TunnelOptions {
  readonly connection: number;
  /** The client's connection, paused: what is read from it goes to `read`, once it is resumed. */
  readonly acceptClient: (read: (chunk: Buffer) => void) => Socket;
  /** Starts the connection to Redis: what is read from it goes to `read`, once it is resumed. */
  readonly connectRedis: (read: (chunk: Buffer) => void) => Socket;
  /** The event after which the connection to Redis stands. */
  readonly redisReady: 'connect' | 'secureConnect';
  /** Without user and password. */
  readonly upstreamName: string;
  readonly recording: Recording;
  readonly events: TunnelEvents;
  readonly resets: ResetsAfterDelivery;
  readonly latency?: Latency | undefined;
  readonly connectTimeoutMs?: number | undefined;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** How long the sides have to finish once the proxy closes a connection. */
const STOP_GRACE_MS = 1_000;

export class Tunnel {
  readonly #connection: number;
  readonly #client: Socket;
  readonly #redis: Socket;
  readonly #recording: Recording;
  readonly #events: TunnelEvents;
  readonly #resets: ResetsAfterDelivery;
  /** The sockets themselves, or delay lines before them. */
  readonly #toClient: Outlet;
  readonly #toRedis: Outlet;

  #fromClient = 0;
  #fromRedis = 0;
  /** Of those, what the kernel towards the other side has taken. */
  #takenByClient = 0;
  #takenByRedis = 0;
  /** Nothing can be written to it any more. */
  #clientGone = false;
  #redisGone = false;
  #connected = false;
  /** Neither side is read until `release`. */
  #held = false;
  #stopping = false;
  #firstClosed = false;
  #open = 2;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: TunnelOptions) {
    const { recording, latency } = options;
    const client = options.acceptClient(this.#readClient);
    const redis = options.connectRedis(this.#readRedis);
    this.#connection = options.connection;
    this.#client = client;
    this.#redis = redis;
    this.#recording = recording;
    this.#events = options.events;
    this.#resets = options.resets;
    const now = (): number => recording.nowUs();
    const resumeRedis = (): void => this.#resumeRedis();
    const resumeClient = (): void => this.#resumeClient();
    this.#toClient = latency === undefined ? client : new DelayedOutlet(client, latency, now, resumeRedis);
    this.#toRedis = latency === undefined ? redis : new DelayedOutlet(redis, latency, now, resumeClient);
    this.#record((atUs) =>
      recording.opened(this.#connection, atUs, {
        client: printAddress(client.remoteAddress, client.remotePort),
        upstream: options.upstreamName,
      }),
    );
    this.#listenToRedis(options);
    this.#listenToClient();
    client.resume();
  }

  /** Reads nothing more from either side, until `release`. */
  hold(): void {
    this.#held = true;
    pauseReading(this.#client);
    if (this.#connected) pauseReading(this.#redis); // before that it has nothing to say, and a TLS handshake needs reading
  }

  /** Goes on reading, unless a full socket on the other side is waited for. */
  release(): void {
    this.#held = false;
    if (!this.#stopping && (this.#redisGone || !isFull(this.#toRedis))) this.#resumeClient();
    if (this.#clientGone || !isFull(this.#toClient)) this.#resumeRedis();
  }

  /** The proxy stops: closes both sides, after Redis' last replies have gone through. */
  stop(): void {
    this.#closedFirst('proxy', 'fin');
    this.#stopping = true;
    pauseReading(this.#client);
    for (const outlet of [this.#toRedis, this.#toClient])
      if (outlet instanceof DelayedOutlet) outlet.release();
    if (!this.#connected) this.#redis.destroy();
    this.#resumeRedis();
    this.#redis.end();
    // By then reading the client goes on: what it had sent is recorded, though Redis never gets it.
    this.#redis.once('close', () => setImmediate(() => this.#client.destroySoon()));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.destroy(), STOP_GRACE_MS);
  }

  /** Closes both sides at once. */
  destroy(): void {
    this.#closedFirst('proxy', 'fin');
    this.#client.destroy();
    this.#redis.destroy();
  }

  // --- forwarding: each is one write, one look at what waits, one record -----------------------------------------

  readonly #readClient = (chunk: Buffer): void => {
    const atUs = this.#recording.nowUs();
    this.#fromClient += chunk.length;
    if (!this.#redisGone) {
      this.#toRedis.write(chunk, this.#redisTook);
      if (isFull(this.#toRedis)) pauseReading(this.#client);
    }
    try {
      this.#recording.clientBytes(this.#connection, atUs, chunk);
    } catch (error) {
      this.#events.recordingThrew(error);
    }
  };

  readonly #readRedis = (chunk: Buffer): void => {
    const atUs = this.#recording.nowUs();
    this.#fromRedis += chunk.length;
    let flushed = false;
    if (!this.#clientGone) {
      this.#toClient.write(chunk, this.#clientTook);
      // A write that failed leaves nothing waiting either: the error tells the two apart.
      flushed = this.#toClient.writableLength === 0 && this.#client.errored === null;
      if (flushed) this.#takenByClient = this.#fromRedis;
      else if (isFull(this.#toClient)) pauseReading(this.#redis);
    }
    try {
      this.#recording.redisBytes(this.#connection, atUs, chunk, flushed);
    } catch (error) {
      this.#events.recordingThrew(error);
    }
  };

  /** Called for every write; a record is due only where the kernel did not take it in the same turn. */
  readonly #clientTook = (error?: Error | null): void => {
    if (error != null || this.#clientGone) return;
    const taken = this.#fromRedis - this.#toClient.writableLength;
    if (taken <= this.#takenByClient) return;
    this.#takenByClient = taken;
    this.#record((atUs) => this.#recording.flushed(this.#connection, atUs, taken));
  };

  readonly #redisTook = (error?: Error | null): void => {
    if (error == null && !this.#redisGone)
      this.#takenByRedis = this.#fromClient - this.#toRedis.writableLength;
  };

  // --- closing -------------------------------------------------------------------------------------------------

  #listenToClient(): void {
    const client = this.#client;
    const finish = (): void => this.#afterHeld(this.#toRedis, () => this.#redis.end());
    client.on('drain', () => this.#drained(this.#toClient, () => this.#resumeRedis()));
    client.on('end', () => {
      this.#closedFirst('client', 'fin');
      finish();
    });
    client.on('error', (error) => {
      this.#clientGone = true;
      this.#closedFirst('client', howOf(error), codeOf(error));
    });
    client.on('close', () => {
      this.#clientGone = true;
      this.#resumeRedis(); // whatever it paused for is gone
      finish();
      this.#sideClosed();
    });
  }

  #listenToRedis({ redisReady, connectTimeoutMs = CONNECT_TIMEOUT_MS }: TunnelOptions): void {
    const redis = this.#redis;
    this.#timer = setTimeout(() => redis.destroy(timedOut(connectTimeoutMs)), connectTimeoutMs);
    redis.once(redisReady, () => {
      clearTimeout(this.#timer);
      this.#connected = true;
      if (this.#held) pauseReading(redis);
      this.#events.connected();
    });
    redis.resume();
    redis.on('drain', () => this.#drained(this.#toRedis, () => this.#resumeClient()));
    redis.on('end', () => {
      this.#closedFirst('redis', 'fin');
      this.#afterHeld(this.#toClient, () => this.#client.end());
    });
    redis.on('error', (error) => {
      this.#redisGone = true;
      this.#closedFirst('redis', howOf(error), codeOf(error));
      this.#afterHeld(this.#toClient, () => this.#resets.reset(this.#client));
    });
    redis.on('close', () => {
      clearTimeout(this.#timer);
      this.#redisGone = true;
      this.#resumeClient(); // whatever it paused for is gone
      this.#sideClosed();
    });
  }

  /** Does it when all that was read so far has gone to the socket: at once, unless a delay line holds some. */
  #afterHeld(outlet: Outlet, action: () => void): void {
    if (outlet instanceof DelayedOutlet) outlet.put(action);
    else action();
  }

  #drained(outlet: Outlet, resumeSource: () => void): void {
    if (outlet instanceof DelayedOutlet) outlet.drained();
    else resumeSource();
  }

  #resumeClient(): void {
    if (!this.#held) this.#client.resume();
  }

  #resumeRedis(): void {
    if (!this.#held) this.#redis.resume();
  }

  #closedFirst(by: ClosedBy, how: ClosedHow, detail?: string): void {
    if (this.#firstClosed) return;
    this.#firstClosed = true;
    const body: ClosedBody = {
      by,
      how,
      ...(detail === undefined ? {} : { detail }),
      unflushedToClient: this.#fromRedis - this.#takenByClient,
      unflushedToRedis: this.#redisGone
        ? this.#fromClient - this.#takenByRedis
        : this.#toRedis.writableLength,
    };
    this.#record((atUs) => this.#recording.closed(this.#connection, atUs, body));
    if (by === 'redis') this.#events.redisClosed(how, detail, this.#connected);
  }

  #sideClosed(): void {
    this.#open -= 1;
    if (this.#open > 0) return;
    clearTimeout(this.#timer);
    this.#record((atUs) => this.#recording.ended(this.#connection, atUs));
    this.#events.ended();
  }

  #record(write: (atUs: number) => void): void {
    try {
      write(this.#recording.nowUs());
    } catch (error) {
      this.#events.recordingThrew(error);
    }
  }
}

/** `127.0.0.1:6380`, `[::1]:6380`; a client that was gone before it could be asked has no address. */
export function printAddress(host: string | undefined, port: number | undefined): string {
  if (host === undefined || port === undefined) return 'unknown';
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function codeOf(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? error.message;
}

/** EPIPE is a reset too: of an earlier write, noticed by a later one. */
function howOf(error: Error): ClosedHow {
  const code = codeOf(error);
  return code === 'ECONNRESET' || code === 'EPIPE' ? 'reset' : 'error';
}

function timedOut(afterMs: number): Error {
  return Object.assign(new Error(`no connection to Redis after ${afterMs} ms`), { code: 'ETIMEDOUT' });
}
