import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BlockRedactor } from './block-redactor.js';
import { BlockWriter, type DroppedBody, RecordType, readBlock, type TapeRecord } from './tape.js';

type Written = readonly [type: RecordType, connection: number, body: string];

function block(...records: readonly Written[]): Buffer {
  const writer = new BlockWriter(Buffer.alloc(1 << 16));
  records.forEach(([type, connection, body], n) => {
    writer.write(type, 0, connection, n, Buffer.from(body, 'latin1'));
  });
  return writer.buffer.subarray(0, writer.length);
}

/** One line a record. */
function read(blocks: readonly Buffer[]): string[] {
  return blocks.flatMap((each) => [...readBlock(each)].map(line));
}

function line({ type, connection, body }: TapeRecord): string {
  const text = body.toString('latin1');
  if (type === RecordType.clientBytes) return `${connection}> ${text}`;
  if (type === RecordType.redisBytes) return `${connection}< ${text}`;
  if (type === RecordType.ended) return `${connection} ended`;
  const { fromClient, fromRedis, reason } = JSON.parse(text) as DroppedBody;
  return `${connection} dropped ${fromClient}/${fromRedis} ${reason}`;
}

const redacted = (...blocks: readonly Buffer[]): string[] => {
  const redactor = new BlockRedactor();
  return read(blocks.map((each) => redactor.redact(each)));
};

const client = (connection: number, body: string): Written => [RecordType.clientBytes, connection, body];
const redis = (connection: number, body: string): Written => [RecordType.redisBytes, connection, body];
const ended = (connection: number): Written => [RecordType.ended, connection, ''];
const dropped = (connection: number, fromClient: number, fromRedis: number): Written => [
  RecordType.dropped,
  connection,
  JSON.stringify({ fromClient, fromRedis, fromUs: 0, toUs: 0, reason: 'dropped' }),
];

describe('BlockRedactor', () => {
  it('gives a block with nothing to change back as it is', () => {
    const given = block(client(1, '*1\r\n$4\r\nPING\r\n'), redis(1, '+PONG\r\n'), ended(1));
    expect(new BlockRedactor().redact(given)).toBe(given);
  });

  it('blanks a password that is split over chunks and blocks, and keeps all else', () => {
    const lines = redacted(
      block(client(1, '*2\r\n$4\r\nAU'), client(2, '*1\r\n$4\r\nPING\r\n')),
      block(client(1, 'TH\r\n$7\r\nhun'), redis(2, '+PONG\r\n')),
      block(client(1, 'ter2\r\n*1\r\n$4\r\nPING\r\n'), redis(1, '+OK\r\n')),
    );
    const bytes = lines.filter((each) => each.startsWith('1> ')).map((each) => each.slice(3));
    expect(bytes.join('')).toBe('*2\r\n$4\r\nAUTH\r\n$7\r\n*******\r\n*1\r\n$4\r\nPING\r\n');
    expect(lines.filter((each) => !each.startsWith('1> '))).toEqual([
      '2> *1\r\n$4\r\nPING\r\n',
      '2< +PONG\r\n',
      '1< +OK\r\n',
    ]);
  });

  it('counts what cannot be framed, and keeps none of it', () => {
    const redactor = new BlockRedactor();
    const lines = read([
      redactor.redact(
        block(client(1, '*1\r\n$4\r\nPING\r\n'), client(1, '*1\r\n:password\r\n'), client(1, 'x')),
      ),
    ]);
    expect(lines[0]).toBe('1> *1\r\n$4\r\nPING\r\n');
    expect(lines.join()).not.toContain('password');
    expect(lines.at(-1)).toBe('1 dropped 1/0 unframed');
    expect(redactor.bytesWithheld).toBeGreaterThan(8);
  });

  it('withholds the replies that may hold a secret', () => {
    expect(
      redacted(
        block(
          client(1, 'CONFIG GET requirepass\r\n'),
          redis(1, '*2\r\n$11\r\nrequirepass\r\n'),
          redis(1, 'x'),
        ),
      ),
    ).toEqual(['1> CONFIG GET requirepass\r\n', '1 dropped 0/22 withheld', '1 dropped 0/1 withheld']);
  });

  it('keeps nothing of a connection after bytes of its client were dropped', () => {
    expect(
      redacted(
        block(
          client(1, '*2\r\n$4\r\nAUTH\r\n'),
          client(2, 'PING\r\n'),
          dropped(1, 100, 0),
          client(1, 'secret'),
          redis(1, '+OK\r\n'),
          redis(2, '+PONG\r\n'),
          dropped(1, 10, 0),
          ended(1),
        ),
      ).filter((each) => !each.startsWith('1> *')),
    ).toEqual([
      '2> PING\r\n',
      expect.stringMatching(/^1 dropped \d+\/0 withheld$/),
      '1 dropped 100/0 dropped',
      '1 dropped 6/0 withheld',
      '1 dropped 0/5 withheld',
      '2< +PONG\r\n',
      '1 dropped 10/0 dropped',
      '1 ended',
    ]);
  });

  it('goes on where only replies were dropped', () => {
    expect(redacted(block(dropped(1, 0, 9), client(1, 'PING\r\n'), redis(1, '+PONG\r\n')))).toEqual([
      '1 dropped 0/9 dropped',
      '1> PING\r\n',
      '1< +PONG\r\n',
    ]);
  });

  it('counts what it held when a connection ends, or the recording', () => {
    const start = 'AUTH use';
    const lines = redacted(block(client(1, start), ended(1)));
    expect(lines.at(-1)).toBe('1 ended');
    expect(counted(lines, 1)).toBe(start.length);
    const redactor = new BlockRedactor();
    const kept = redactor.redact(block(client(1, start), client(2, 'PING\r\n')));
    const rest = redactor.finish(99);
    expect(counted(read([kept, rest as Buffer]), 1)).toBe(start.length);
    expect(redactor.finish(99)).toBeNull();
  });

  it('loses no byte and adds none, whatever comes', () => {
    const chunk = fc.oneof(
      fc.constantFrom(
        '*2\r\n$4\r\nAUTH\r\n$3\r\nabc\r\n',
        'PING\r\n',
        '*1\r\n$4\r\nPI',
        'NG\r\n',
        'AUTH a b\r\n',
        'CONFIG GET *\r\n',
      ),
      fc.string({ minLength: 1, unit: 'binary-ascii' }),
    );
    const record = fc.oneof(
      fc.tuple(fc.integer({ min: 1, max: 2 }), chunk).map(([connection, body]) => client(connection, body)),
      fc.tuple(fc.integer({ min: 1, max: 2 }), chunk).map(([connection, body]) => redis(connection, body)),
      fc.integer({ min: 1, max: 2 }).map((connection) => dropped(connection, 5, 3)),
    );
    fc.assert(
      fc.property(fc.array(fc.array(record, { maxLength: 6 }), { maxLength: 6 }), (blocks) => {
        const redactor = new BlockRedactor();
        const given = blocks.map((records) => block(...records));
        const before = [1, 2].map((connection) => sums(given, connection));
        const kept: Buffer[] = given.map((each) => Buffer.from(redactor.redact(each)));
        const rest = redactor.finish(99);
        if (rest !== null) kept.push(rest);
        expect([1, 2].map((connection) => sums(kept, connection))).toEqual(before);
      }),
    );
  });
});

/** Bytes of the client that the lines of a connection tell of, kept or counted. */
function counted(lines: readonly string[], connection: number): number {
  let bytes = 0;
  for (const each of lines) {
    if (each.startsWith(`${connection}> `)) bytes += each.length - 3;
    const drop = new RegExp(`^${connection} dropped (\\d+)/`).exec(each);
    if (drop) bytes += Number(drop[1]);
  }
  return bytes;
}

/** Bytes of a connection by direction, kept or counted. */
function sums(blocks: readonly Buffer[], connection: number): { client: number; redis: number } {
  const total = { client: 0, redis: 0 };
  for (const each of blocks) {
    for (const record of readBlock(each)) {
      if (record.connection !== connection) continue;
      if (record.type === RecordType.clientBytes) total.client += record.body.length;
      else if (record.type === RecordType.redisBytes) total.redis += record.body.length;
      else if (record.type === RecordType.dropped) {
        const { fromClient, fromRedis } = JSON.parse(record.body.toString()) as DroppedBody;
        total.client += fromClient;
        total.redis += fromRedis;
      }
    }
  }
  return total;
}
