/**
 * gaptrace query: the rows of a trace as a person or a program wants to see them. Reads; judges nothing.
 */
import type { Reply, TraceConnection, TraceHole, TraceOperation } from '../proxy/trace/trace.js';
import { seconds } from './question.js';
import { visible } from './render/text.js';

/** Bytes in JSON: text where they are UTF-8, else `{"base64": …}`. */
export type JsonBytes = string | { readonly base64: string };

export function jsonBytes(bytes: Uint8Array): JsonBytes {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString('utf8');
  return Buffer.from(text, 'utf8').equals(buffer) ? text : { base64: buffer.toString('base64') };
}

/** One operation as `query --json` shows it. */
export function jsonOperation(operation: TraceOperation): Readonly<Record<string, unknown>> {
  return {
    id: operation.id,
    connection: operation.connection,
    sequence: operation.sequence,
    command: operation.command,
    args: operation.args.slice(1).map(jsonBytes),
    requested_us: operation.requestedUs,
    replied_us: operation.repliedUs,
    flushed_us: operation.flushedUs,
    owed: operation.owed,
    pipelined: operation.pipelined,
    transaction: operation.transaction,
    reply_kind: operation.replyKind,
    reply: operation.reply === null ? null : jsonReply(operation.reply),
    request_length: operation.requestLength,
    reply_length: operation.replyLength,
    request_cut: operation.requestCut,
    reply_cut: operation.replyCut,
  };
}

/** A reply as the value that a Redis client would give; errors as `{"error": …}`, integers beyond 2^53 as text. */
function jsonReply(reply: Reply): unknown {
  switch (reply.kind) {
    case 'simple':
      return reply.text;
    case 'error':
      return { error: reply.text };
    case 'integer':
      return Number.isSafeInteger(Number(reply.value)) ? Number(reply.value) : String(reply.value);
    case 'bulk':
    case 'verbatim':
      return jsonBytes(reply.bytes);
    case 'null':
      return null;
    case 'array':
    case 'set':
    case 'push':
      return reply.items.map(jsonReply);
    case 'map':
      return reply.entries.map(([key, value]) => [jsonReply(key), jsonReply(value)]);
    case 'double':
      return Number.isFinite(reply.value) ? reply.value : reply.text;
    case 'boolean':
      return reply.value;
    case 'big-number':
      return reply.digits;
  }
}

/** `650  +9.622820s  5.5 ms  conn 43  BZPOPMIN channels… 5  ->  [channels…, "…"]`, on one line. */
export function operationLine(operation: TraceOperation): string {
  const took =
    operation.repliedUs === null
      ? '-'
      : `${((operation.repliedUs - operation.requestedUs) / 1000).toFixed(1)} ms`;
  const words = operation.args.slice(1).map((word) => shown(word));
  const request = [operation.command, ...words].join(' ');
  return [
    String(operation.id).padStart(8),
    seconds(operation.requestedUs).padStart(14),
    took.padStart(10),
    `conn ${operation.connection}`.padEnd(9),
    `${fitted(request, 120)}  ->  ${fitted(replyText(operation), 60)}`,
  ].join('  ');
}

function replyText(operation: TraceOperation): string {
  if (operation.replyKind === 'none') return '(none asked for)';
  if (operation.repliedUs === null) return '(no reply)';
  return operation.reply === null
    ? `(${operation.replyKind}, ${operation.replyLength} bytes, not kept whole)`
    : brief(operation.reply);
}

function brief(reply: Reply): string {
  switch (reply.kind) {
    case 'bulk':
    case 'verbatim':
      return shown(reply.bytes);
    case 'array':
    case 'set':
    case 'push':
      return `[${reply.items.map(brief).join(', ')}]`;
    case 'map':
      return `{${reply.entries.map(([key, value]) => `${brief(key)}: ${brief(value)}`).join(', ')}}`;
    case 'error':
      return `error ${visible(reply.text)}`;
    case 'null':
      return 'nil';
    default:
      return visible(String(jsonReply(reply)));
  }
}

const SHOWN_BYTES = 80;

/** Readable bytes as they are, the others as `\xNN`; in quotes where a space or nothing is in it. */
function shown(bytes: Buffer): string {
  const head = bytes.subarray(0, SHOWN_BYTES);
  const json = jsonBytes(head);
  const text =
    visible(typeof json === 'string' ? json : head.toString('latin1')) +
    (bytes.length > SHOWN_BYTES ? `…(${bytes.length} bytes)` : '');
  return text === '' || /\s/.test(text) ? `"${text}"` : text;
}

function fitted(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
}

export function jsonConnection(connection: TraceConnection): Readonly<Record<string, unknown>> {
  return {
    id: connection.id,
    opened_us: connection.openedUs,
    closed_us: connection.closedUs,
    closed_by: connection.closedBy,
    closed_how: connection.closedHow,
    closed_detail: connection.closedDetail,
    ended_us: connection.endedUs,
    client_address: connection.clientAddress,
    upstream_address: connection.upstreamAddress,
    resp_version: connection.respVersion,
    client_name: connection.clientName,
    library_name: connection.libraryName,
    library_version: connection.libraryVersion,
    bytes_from_client: connection.bytesFromClient,
    bytes_from_redis: connection.bytesFromRedis,
    unflushed_to_client: connection.unflushedToClient,
    unflushed_to_redis: connection.unflushedToRedis,
  };
}

export function connectionLine(connection: TraceConnection): string {
  const closed =
    connection.closedUs === null
      ? 'open'
      : `closed ${seconds(connection.closedUs)} by ${connection.closedBy} (${connection.closedDetail ?? connection.closedHow})${connection.unflushedToClient ? `, ${connection.unflushedToClient} bytes never handed to the client` : ''}`;
  const says = [connection.clientName, connection.libraryName, connection.libraryVersion].filter(
    (word) => word !== null,
  );
  return [
    `conn ${connection.id}`.padEnd(9),
    `RESP${connection.respVersion}`,
    `opened ${seconds(connection.openedUs)}`,
    closed,
    `${connection.bytesFromClient} bytes from the client, ${connection.bytesFromRedis} from Redis`,
    visible(connection.clientAddress),
    ...(says.length > 0 ? [`says it is ${visible(says.join(' '))}`] : []),
  ].join('  ');
}

export function jsonHole(hole: TraceHole): Readonly<Record<string, unknown>> {
  const { id, connection, direction, bytes, reason, detail } = hole;
  return {
    id,
    connection,
    direction,
    from_us: hole.fromUs,
    to_us: hole.toUs,
    byte_offset: hole.byteOffset,
    bytes,
    reason,
    detail,
  };
}

export function holeLine(hole: TraceHole): string {
  const until = hole.toUs === null ? 'to the end' : `to ${seconds(hole.toUs)}`;
  return [
    hole.connection === null ? 'all' : `conn ${hole.connection}`.padEnd(9),
    `from ${seconds(hole.fromUs)} ${until}`,
    hole.direction === null
      ? 'both directions'
      : `bytes from ${hole.direction === 'client' ? 'the client' : 'Redis'}`,
    `${hole.bytes} bytes`,
    hole.reason,
    visible(hole.detail),
  ].join('  ');
}
