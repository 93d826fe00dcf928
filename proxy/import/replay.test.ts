import { describe, expect, it } from 'vitest';
import { RecordType } from '../tape.js';
import type { CaptureEvent } from './capture.js';
import { Replay } from './replay.js';

const NAMES = new Map<number, string>(Object.entries(RecordType).map(([name, type]) => [type, name]));

/** What a replay of these events writes, one line a record. */
function replayed(delayUs: number, events: readonly CaptureEvent[]): string[] {
  const written: string[] = [];
  const replay = new Replay((type, flags, connection, atUs, body) => {
    const bytes = Buffer.from(body);
    const name = NAMES.get(type);
    const said =
      type === RecordType.flushed ? String(bytes.readDoubleLE(0)) : bytes.toString().replace(/"/g, '');
    written.push(`${atUs} #${connection} ${name}${flags === 0 ? '' : '!'} ${said}`.trim());
  }, delayUs);
  for (const event of events) replay.event(event);
  replay.end(events.at(-1)?.atUs ?? 0);
  return written;
}

const data = (atUs: number, from: 'client' | 'redis', text: string, connection = 1): CaptureEvent => ({
  event: 'data',
  atUs,
  connection,
  from,
  bytes: Buffer.from(text),
});
const open = (atUs: number, connection = 1): CaptureEvent => ({ event: 'open', atUs, connection });
const close = (atUs: number, from: 'client' | 'redis', connection = 1): CaptureEvent => ({
  event: 'close',
  atUs,
  connection,
  from,
});

describe('a capture as a tape', () => {
  it('hands replies on after half the delay, merged in the order of time', () => {
    expect(
      replayed(200, [
        open(0),
        data(10, 'client', 'PING'),
        data(50, 'redis', 'abc'),
        data(60, 'redis', 'de'),
        data(155, 'client', 'X'),
        data(400, 'client', 'Y'),
      ]),
    ).toEqual([
      '0 #1 opened {client:unknown,upstream:unknown}',
      '10 #1 clientBytes PING',
      '50 #1 redisBytes abc',
      '60 #1 redisBytes de',
      '150 #1 flushed 3',
      '155 #1 clientBytes X',
      '160 #1 flushed 5',
      '400 #1 clientBytes Y',
    ]);
  });

  it('a client that closed first does not get what was held', () => {
    expect(
      replayed(200, [
        open(0),
        data(10, 'client', 'abcd'),
        data(50, 'redis', 'abc'),
        data(120, 'redis', 'defg'),
        data(130, 'client', 'xy'),
        close(160, 'client'),
        close(900, 'redis'),
      ]).slice(4),
    ).toEqual([
      '130 #1 clientBytes xy',
      '150 #1 flushed 3',
      '160 #1 closed {by:client,how:fin,unflushedToClient:4,unflushedToRedis:6}',
      '900 #1 ended',
    ]);
  });

  it('where Redis closed first the client still gets it', () => {
    expect(
      replayed(200, [
        open(0),
        data(50, 'redis', 'abc'),
        close(60, 'redis'),
        open(155, 2),
        close(170, 'client'),
      ]),
    ).toEqual([
      '0 #1 opened {client:unknown,upstream:unknown}',
      '50 #1 redisBytes abc',
      '60 #1 closed {by:redis,how:fin,unflushedToClient:3,unflushedToRedis:0}',
      '150 #1 flushed 3',
      '155 #2 opened {client:unknown,upstream:unknown}',
      '170 #1 ended',
    ]);
  });

  it('without a delay all is handed on at once', () => {
    expect(replayed(0, [open(0), data(5, 'redis', 'abc'), close(5, 'client')])).toEqual([
      '0 #1 opened {client:unknown,upstream:unknown}',
      '5 #1 redisBytes! abc',
      '5 #1 closed {by:client,how:fin,unflushedToClient:0,unflushedToRedis:0}',
    ]);
  });

  it('keeps thousands of held chunks in order', () => {
    const events: CaptureEvent[] = [open(0)];
    for (let n = 0; n < 5000; n++) events.push(data(n * 10, 'redis', 'ab'));
    const flushes = replayed(4000, events).filter((line) => line.includes('flushed'));
    expect(flushes).toHaveLength(4800);
    expect(flushes.at(0)).toBe('2000 #1 flushed 2');
    expect(flushes.at(-1)).toBe('49990 #1 flushed 9600');
  });
});
