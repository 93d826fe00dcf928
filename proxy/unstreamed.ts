/**
 * Reading from a socket past its stream, which costs more than the read itself: into memory that is there already, instead of 64 KB that a Readable
 * makes for each read (docs/decisions/0014). Node offers it for sockets that connect (`onread` of net.connect, since 12.10), not for those that a server accepts.
 */
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';

/** What the kernel has for a connection goes into it, and is copied out before anything else is read. */
const READ_INTO = Buffer.allocUnsafeSlow(64 * 1024);

/** The option of `net.connect`: what is read goes to `read`, from `resume` on, and stays as it is. */
export function onread(read: (chunk: Buffer) => void): OnReadOpts {
  const callback = (bytes: number): boolean => {
    const chunk = Buffer.allocUnsafe(bytes);
    READ_INTO.copy(chunk, 0, 0, bytes);
    read(chunk);
    return true;
  };
  return { buffer: READ_INTO, callback };
}

/** Undocumented: Node's own lib/net.js gives accepted handles to sockets so. */
interface WithHandle {
  _handle?: { readonly useUserBuffer?: unknown } | null;
}
interface OfHandle extends SocketConstructorOpts {
  readonly handle: object;
  readonly pauseOnCreate: boolean;
  readonly onread: OnReadOpts;
}

/**
 * An accepted, paused, half-open socket, so that what is read from it goes to `read`, from `resume` on: a socket for the same connection, to be used
 * instead of the one given; or that one, read as a stream, where this Node has no such thing, or the socket is closed already.
 */
export function readAccepted(accepted: Socket, read: (chunk: Buffer) => void): Socket {
  const given: WithHandle = accepted as unknown as WithHandle;
  const handle = given._handle;
  if (typeof handle?.useUserBuffer !== 'function') return accepted.on('data', read);
  given._handle = null;
  const options: OfHandle = { handle, allowHalfOpen: true, pauseOnCreate: true, onread: onread(read) };
  return new Socket(options);
}

/**
 * Nothing more is read until `resume`. Where that was called for the first time in the same turn, Node's own `pause` does not do it: at the turn's end the
 * stream asks for a first read, and for such a socket that begins reading anew.
 */
export function pauseReading(socket: Socket): void {
  socket.pause();
  process.nextTick(() => {
    if (socket.isPaused()) socket.pause();
  });
}
