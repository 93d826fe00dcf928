/**
 * Rows into a trace: one method a table, prepared statements, no transactions of its own (its caller knows what belongs
 * together, and calls `flush` before it commits). An operation whose reply is still owed is written and updated when the reply has
 * come, so that a reader sees requests that wait.
 */
import { isUtf8 } from 'node:buffer';
import type Database from 'better-sqlite3';
import type { ClosedBody, OpenedBody } from '../tape.js';
import type { ClientFacts, Hole, Operation, Push } from '../wire/operation.js';
import { KeyRows } from './key-rows.js';
import { RowBatch } from './row-batch.js';
import type { Rows, SavedState } from './rows.js';

/** Keys whose row ids are remembered; when there are more, remembering starts anew. */
export const REMEMBERED_KEYS = 100_000;

export class TraceWriter implements Rows {
  readonly #statements: ReturnType<typeof prepareAll>;
  readonly #operations: RowBatch;
  readonly #operationKeys: KeyRows;
  readonly #commands = new Map<string, number>();
  readonly #keys = new Map<string, number>();

  constructor(database: Database.Database) {
    this.#statements = prepareAll(database);
    this.#operations = new RowBatch(database, 'INSERT OR FAIL INTO operation', OPERATION_COLUMNS);
    this.#operationKeys = new KeyRows(database);
  }

  flush(): void {
    this.#operations.flush();
    this.#operationKeys.flush();
  }

  meta(key: string, value: string): void {
    this.#statements.meta.run(key, value);
  }

  redisSample(atUs: number, values: Readonly<Record<string, string>>): void {
    for (const [field, value] of Object.entries(values)) this.#statements.sample.run(atUs, field, value);
  }

  connection(id: number, openedUs: number, body: OpenedBody): void {
    this.#statements.connection.run(id, openedUs, body.client, body.upstream);
  }

  hasConnection(id: number): boolean {
    return this.#statements.hasConnection.get(id) !== undefined;
  }

  connectionClosed(id: number, atUs: number, body: ClosedBody): void {
    const { by, how, detail, unflushedToClient, unflushedToRedis } = body;
    this.#statements.closed.run(atUs, by, how, detail ?? null, unflushedToClient, unflushedToRedis, id);
  }

  connectionEnded(id: number, atUs: number): void {
    this.#statements.ended.run(atUs, id);
  }

  connectionBytes(id: number, fromClient: number, fromRedis: number): void {
    this.#statements.bytes.run(fromClient, fromRedis, id);
  }

  connectionFacts(id: number, facts: ClientFacts): void {
    const { respVersion, clientName, libraryName, libraryVersion } = facts;
    this.#statements.facts.run(
      respVersion ?? 2,
      clientName ?? null,
      libraryName ?? null,
      libraryVersion ?? null,
      id,
    );
  }

  operation(connection: number, operation: Operation, transaction: number | null): void {
    const { id } = operation;
    this.operationRow(
      id,
      connection,
      operation.sequence,
      this.commandId(operation.command),
      operation.requestedUs,
      operation.repliedUs,
      operation.flushedUs,
      operation.owed,
      operation.pipelined ? 1 : 0,
      transaction,
      operation.replyKind,
      operation.request,
      operation.requestLength,
      operation.reply,
      operation.replyLength,
    );
    const { keys } = operation;
    for (let n = 0; n < keys.length; n++) this.operationKey(this.keyId(keys[n] as Buffer), id);
  }

  /** The columns of `operation`, in their order. */
  operationRow(...row: OperationRow): void {
    this.#operations.add(...row);
  }

  operationKey(key: number, operation: number): void {
    this.#operationKeys.add(key, operation);
  }

  operationReply(operation: Operation): void {
    this.#operations.flush();
    this.#statements.reply.run(
      operation.repliedUs,
      operation.flushedUs,
      operation.replyKind,
      operation.reply,
      operation.replyLength,
      operation.id,
    );
  }

  lastPush(): number {
    return this.#statements.lastPush.get() as number;
  }

  push(id: number, connection: number, push: Push): void {
    const { kind, channel, receivedUs, flushedUs, bytes, length } = push;
    const name = channel === null ? null : textOrBytes(channel);
    this.#statements.push.run(id, connection, kind, name, receivedUs, flushedUs, bytes, length);
  }

  pushFlushed(id: number, push: Push): void {
    this.#statements.pushFlushed.run(push.flushedUs, id);
  }

  hole(connection: number | null, hole: Hole): void {
    const { id, direction, offset, bytes, fromUs, toUs, reason, detail } = hole;
    this.#statements.hole.run(id, connection, direction, fromUs, toUs, offset, bytes, reason, detail);
  }

  saveState(connection: number, state: Buffer): void {
    this.#statements.saveState.run(connection, state);
  }

  dropState(connection: number): void {
    this.#statements.dropState.run(connection);
  }

  states(): SavedState[] {
    return this.#statements.states.all() as SavedState[];
  }

  /** The row of this key is gone. */
  forgetKey(name: string | Buffer): void {
    this.#keys.delete(Buffer.from(name).toString('latin1'));
  }

  commandId(name: string): number {
    let id = this.#commands.get(name);
    if (id === undefined) {
      this.#statements.command.run(name);
      id = this.#statements.commandId.get(name) as number;
      this.#commands.set(name, id);
    }
    return id;
  }

  keyId(bytes: Buffer): number {
    const remembered = bytes.toString('latin1');
    let id = this.#keys.get(remembered);
    if (id === undefined) {
      const name = textOrBytes(bytes);
      id = this.#statements.keyId.get(name) as number | undefined;
      id ??= Number(this.#statements.key.run(name).lastInsertRowid);
      if (this.#keys.size >= REMEMBERED_KEYS) this.#keys.clear();
      this.#keys.set(remembered, id);
    }
    return id;
  }
}

/** Text where the bytes are UTF-8 (and hold no NUL, at which SQLite's text functions stop), bytes where not. */
export function textOrBytes(bytes: Buffer): string | Buffer {
  return isUtf8(bytes) && !bytes.includes(0) ? bytes.toString('utf8') : bytes;
}

type OperationRow = readonly [
  id: number,
  connection: number,
  sequence: number,
  command: number,
  requestedUs: number,
  repliedUs: number | null,
  flushedUs: number | null,
  owed: number,
  pipelined: number,
  transaction: number | null,
  replyKind: string | null,
  request: Buffer,
  requestLength: number,
  reply: Buffer | null,
  replyLength: number,
];

const OPERATION_COLUMNS = [
  ...[
    'id',
    'connection',
    'sequence',
    'command',
    'requested_us',
    'replied_us',
    'flushed_us',
    'owed',
    'pipelined',
  ],
  ...['transaction_id', 'reply_kind', 'request', 'request_length', 'reply', 'reply_length'],
];

function prepareAll(database: Database.Database) {
  const statement = (sql: string) => database.prepare<unknown[]>(sql);
  return {
    meta: statement(
      'INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
    ),
    sample: statement('INSERT OR REPLACE INTO redis_sample (at_us, field, value) VALUES (?, ?, ?)'),
    connection: statement(
      'INSERT INTO connection (id, opened_us, client_address, upstream_address) VALUES (?, ?, ?, ?)',
    ),
    hasConnection: statement('SELECT 1 FROM connection WHERE id = ?'),
    closed: statement(
      `UPDATE connection SET closed_us = ?, closed_by = ?, closed_how = ?, closed_detail = ?,
              unflushed_to_client = ?, unflushed_to_redis = ? WHERE id = ?`,
    ),
    ended: statement('UPDATE connection SET ended_us = ? WHERE id = ?'),
    bytes: statement('UPDATE connection SET bytes_from_client = ?, bytes_from_redis = ? WHERE id = ?'),
    facts: statement(
      'UPDATE connection SET resp_version = ?, client_name = ?, library_name = ?, library_version = ? WHERE id = ?',
    ),
    command: statement('INSERT OR IGNORE INTO command (name) VALUES (?)'),
    commandId: statement('SELECT id FROM command WHERE name = ?').pluck(),
    key: statement('INSERT INTO key (name) VALUES (?)'),
    keyId: statement('SELECT id FROM key WHERE name = ?').pluck(),
    reply: statement(
      'UPDATE operation SET replied_us = ?, flushed_us = ?, reply_kind = ?, reply = ?, reply_length = ? WHERE id = ?',
    ),
    push: statement(
      `INSERT INTO push (id, connection, kind, channel, received_us, flushed_us, payload, payload_length)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    lastPush: statement('SELECT ifnull(max(id), 0) FROM push').pluck(),
    pushFlushed: statement('UPDATE push SET flushed_us = ? WHERE id = ?'),
    hole: statement(
      `INSERT INTO hole (id, connection, direction, from_us, to_us, byte_offset, bytes, reason, detail)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET to_us = excluded.to_us, bytes = excluded.bytes`,
    ),
    saveState: statement('INSERT OR REPLACE INTO conversation (connection, state) VALUES (?, ?)'),
    dropState: statement('DELETE FROM conversation WHERE connection = ?'),
    states: statement('SELECT connection, state FROM conversation'),
  };
}
