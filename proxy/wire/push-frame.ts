/**
 * Reads the head of a reply frame without decoding it: enough to tell a pub/sub message, a confirmation or a MONITOR line from the
 * reply to a request.
 */
import { decodeReply } from './decode-reply.js';
import type { Push } from './operation.js';
import type { ReplyKind } from './reply.js';

/** The first words of an array or push frame: `message`, and the channel that follows. Null: it does not begin with a bulk. */
export interface FrameHead {
  readonly word: string;
  /** The second item where it is a whole bulk; null where it is something else, or was cut. */
  readonly second: Buffer | null;
  readonly third: Buffer | null;
}

/** Longest first word that means anything here: `tracking-redir-broken`. */
const LONGEST_WORD = 32;

interface Bulk {
  readonly bytes: Buffer | null;
  readonly next: number;
}

function bulkAt(frame: Buffer, at: number): Bulk | null {
  if (frame[at] !== 36) return null;
  const cr = frame.indexOf(13, at);
  if (cr < 0 || cr - at > 12) return null;
  const length = Number(frame.toString('latin1', at + 1, cr));
  if (!(length >= 0)) return { bytes: null, next: cr + 2 };
  const start = cr + 2;
  const end = start + length;
  return end <= frame.length ? { bytes: frame.subarray(start, end), next: end + 2 } : null;
}

/** The head of a frame that is an array (`*`) or a push (`>`). */
export function frameHead(frame: Buffer): FrameHead | null {
  const cr = frame.indexOf(13);
  if (cr < 0 || cr > 12) return null;
  const first = bulkAt(frame, cr + 2);
  if (first?.bytes == null || first.bytes.length > LONGEST_WORD) return null;
  const second = bulkAt(frame, first.next);
  const third = second === null ? null : bulkAt(frame, second.next);
  return {
    word: first.bytes.toString('latin1'),
    second: second?.bytes ?? null,
    third: third?.bytes ?? null,
  };
}

/** The channel that Redis sends invalidations on to a RESP2 connection (CLIENT TRACKING … REDIRECT). */
const INVALIDATION_CHANNEL = '__redis__:invalidate';

/** Kind and channel of a frame that is a message to a subscriber; null where it is none. */
export function messageOf(head: FrameHead): Pick<Push, 'kind' | 'channel'> | null {
  switch (head.word) {
    case 'message':
      if (head.second?.toString('latin1') === INVALIDATION_CHANNEL) {
        return { kind: 'invalidate', channel: head.second };
      }
      return { kind: 'message', channel: head.second };
    case 'smessage':
      return { kind: 'smessage', channel: head.second };
    case 'pmessage':
      return { kind: 'pmessage', channel: head.third };
    case 'invalidate':
      return { kind: 'invalidate', channel: null };
    default:
      return null;
  }
}

/** Redis refuses a connection before it reads from it: these answer no request, even if one is there already. */
const REFUSED_CONNECTION = ['-ERR max number of clients', '-DENIED Redis is running in protected mode'];

export function isRefusedConnection(frame: Buffer): boolean {
  const text = frame.toString('latin1', 0, 64);
  return REFUSED_CONNECTION.some((start) => text.startsWith(start));
}

/** Does a simple string have the shape of a MONITOR line: `+1700000000.123456 [0 127.0.0.1:5000] "set" …`? */
export function isMonitorLine(frame: Buffer): boolean {
  return /^\+\d+\.\d{6} \[\d+ /.test(frame.toString('latin1', 0, 64));
}

const KINDS: Readonly<Record<number, ReplyKind>> = {
  43: 'simple',
  45: 'error',
  58: 'integer',
  36: 'bulk',
  42: 'array',
  95: 'null',
  35: 'boolean',
  44: 'double',
  40: 'big-number',
  33: 'error',
  61: 'verbatim',
  37: 'map',
  126: 'set',
  62: 'push',
};

/** Kind of a reply. `type` is its first byte, that of an attribute before it apart. */
export function kindOf(type: number, frame: Buffer): ReplyKind {
  if ((type === 36 || type === 42) && isNull(frame)) return 'null';
  return KINDS[type] ?? 'simple';
}

/** `$-1` or `*-1`, perhaps after an attribute (which no Redis sends but DEBUG PROTOCOL ATTRIB). */
function isNull(frame: Buffer): boolean {
  if (frame[0] !== 124) return frame[1] === 45;
  try {
    return decodeReply(frame).kind === 'null';
  } catch {
    return false; // cut
  }
}
