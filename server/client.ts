/**
 * One WebSocket with its consumer: frames in, frames out, and a bound on what waits in each direction.
 *
 * In: a client that says more than the layer takes is not read from until the layer has caught up; TCP holds it back. Out: what a client
 * does not read waits in this process, and beyond the bound it is sent away (1013) rather than let to fill the memory.
 */
import type { RawData, WebSocket } from 'ws';
import { GaptraceError, messageOf } from '../terminal/errors.js';
import type { Consumer, Frame } from './consumer.js';
import type { SeldomLog } from './seldom.js';

/** Frames of a client that may wait for the layer before the client is not read from. */
const WAITING_FRAMES = 16;
/** How long a client is given to answer a close, in ms, before its connection is cut. */
const CLOSING_MS = 2_000;
/** Length of a reason in a close frame, in bytes (RFC 6455, 5.5). */
const REASON_BYTES = 123;

/** Close codes of RFC 6455 and its registry that the server uses. */
export const CLOSE = { goingAway: 1001, policy: 1008, internalError: 1011, tryAgainLater: 1013 } as const;

export interface ClientOptions {
  readonly socket: WebSocket;
  readonly consumer: Consumer;
  readonly log: SeldomLog;
  /** Bytes that may wait for a client that does not read. */
  readonly bufferLimit: number;
  /** The connection is closed, and the others in the room were told. */
  readonly onGone: () => void;
}

export class Client {
  readonly #options: ClientOptions;
  /** Frames that the layer has not taken yet. */
  #waiting = 0;
  #heard = true;
  #sentAway = false;
  #leaving: Promise<void> | undefined;

  constructor(options: ClientOptions) {
    this.#options = options;
    const { socket } = options;
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    socket.on('pong', () => {
      this.#heard = true;
    });
    // What it did against the protocol (1009 for a message over the limit, 1007 for text that is none) ws tells the client itself.
    socket.on('error', (error) =>
      options.log.say('warn', 'protocol', `a client in error: ${error.message}; its connection is closed`),
    );
    socket.on('close', () => void this.#leave());
  }

  /** Puts it into its room again. */
  rejoin(): Promise<void> {
    return this.#options.consumer.join();
  }

  deliver(frame: Frame): void {
    const { socket, bufferLimit, log } = this.#options;
    if (socket.readyState !== socket.OPEN) return;
    if ('text' in frame) socket.send(frame.text);
    else socket.send(frame.bytes, { binary: true });
    if (socket.bufferedAmount <= bufferLimit) return;
    log.say(
      'warn',
      'slow-client',
      `a client does not read: ${socket.bufferedAmount} bytes wait for it, and it is sent away (${CLOSE.tryAgainLater}); more is not kept for it`,
    );
    this.close(CLOSE.tryAgainLater, 'you do not read what you are sent');
  }

  /** Sends it away. It leaves its room at once, however long it takes to answer. */
  close(code: number, reason: string): void {
    const { socket } = this.#options;
    if (this.#sentAway) return;
    this.#sentAway = true;
    closeSocket(socket, code, reason);
    void this.#leave();
  }

  /** Resolves when the others in the room were told that it has left. */
  async gone(): Promise<void> {
    await this.#leaving;
  }

  /** Asks whether it is still there; who has not answered since the last time is cut off. */
  ping(): void {
    const { socket } = this.#options;
    if (socket.readyState !== socket.OPEN || socket.isPaused) return;
    if (this.#heard) socket.ping();
    else socket.terminate();
    this.#heard = false;
  }

  #receive(data: RawData, isBinary: boolean): void {
    const { socket, consumer } = this.#options;
    this.#heard = true;
    if (this.#sentAway) return;
    this.#waiting++;
    if (this.#waiting >= WAITING_FRAMES) socket.pause();
    const bytes = data as Buffer; // binaryType is nodebuffer
    void consumer.receive(isBinary ? { bytes } : { text: bytes.toString('utf8') }).then(() => {
      this.#waiting--;
      if (this.#waiting < WAITING_FRAMES && socket.isPaused) socket.resume();
    });
  }

  #leave(): Promise<void> {
    this.#leaving ??= this.#options.consumer.disconnect().then(this.#options.onGone);
    return this.#leaving;
  }
}

/** Closes a WebSocket with a reason, which is cut to what a close frame takes, and does not wait for an answer for ever. */
export function closeSocket(socket: WebSocket, code: number, reason: string): void {
  // Paused, it would not hear the answer.
  if (socket.isPaused) socket.resume();
  socket.close(code, cut(reason));
  const impatience = setTimeout(() => socket.terminate(), CLOSING_MS);
  socket.once('close', () => clearTimeout(impatience));
}

/** The close code and reason for a client whose consumer the layer has failed. */
export function closeFor(error: unknown): { readonly code: number; readonly reason: string } {
  if (!(error instanceof GaptraceError))
    return { code: CLOSE.internalError, reason: 'an error in the server' };
  switch (error.code) {
    case 'GAPTRACE_LAYER_REDIS_DOWN':
      return { code: CLOSE.tryAgainLater, reason: 'the server has lost its Redis; try again later' };
    case 'GAPTRACE_LAYER_CLOSED':
      return { code: CLOSE.goingAway, reason: 'the server ends' };
    case 'GAPTRACE_LAYER_REDIS_REFUSED':
      return { code: CLOSE.internalError, reason: "the server's Redis refuses its commands" };
    default:
      return { code: CLOSE.internalError, reason: messageOf(error) };
  }
}

function cut(reason: string): string {
  const bytes = Buffer.from(reason);
  return bytes.length <= REASON_BYTES
    ? reason
    : new TextDecoder().decode(bytes.subarray(0, REASON_BYTES), { stream: true });
}
