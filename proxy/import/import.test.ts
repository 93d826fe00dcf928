import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTrace } from '../trace/open.js';
import type { Trace } from '../trace/trace.js';
import { importCapture } from './import.js';

const EXAMPLE = new URL('../../examples/resp2.capture.jsonl.gz', import.meta.url).pathname;
const HEADER = '{"format":"redis-wire-capture/1","started_unix_ms":1795440325097,"delay_ms":2}\n';

let folder: string;
let file: string;
let path: string;
let trace: Trace | null;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gaptrace-import-'));
  file = join(folder, 'c.jsonl');
  path = join(folder, 't.db');
  trace = null;
});
afterEach(() => {
  trace?.close();
  rmSync(folder, { recursive: true, force: true });
});

const line = (t: number, conn: number, ev: string, from?: string, bytes?: string): string =>
  `${JSON.stringify({ t, conn, ev, from, b64: bytes === undefined ? undefined : Buffer.from(bytes).toString('base64') })}\n`;

const SMALL =
  HEADER +
  line(1000, 1, 'open') +
  line(2000, 1, 'data', 'client', 'AUTH user hunter2\r\nGET a\r\n') +
  line(3000, 1, 'data', 'redis', '+OK\r\n$1\r\nx\r\n') +
  line(3500, 2, 'data', 'redis', '+OK\r\n') +
  line(9000, 1, 'close', 'client') +
  line(9500, 1, 'close', 'redis');

function imported(): Trace {
  trace = openTrace(path);
  return trace;
}

describe('importCapture', () => {
  it('keeps the times, and hands replies on after half the delay', async () => {
    writeFileSync(file, SMALL);
    const summary = await importCapture({ file, trace: path, meta: { gaptrace_version: 'test' } });
    expect(summary).toEqual({ connections: 2, operations: 2, pushes: 0, holes: 3, durationUs: 9500 });
    const { meta, startedUnixUs, watermarkUs, endMarker } = imported();
    expect([startedUnixUs, watermarkUs, endMarker]).toEqual([1795440325097000, 9500, true]);
    expect(Object.fromEntries(meta)).toMatchObject({ latency_us: '2000', source: 'import', ended: 'clean' });
    expect([...imported().operations({ connection: 1 })]).toMatchObject([
      { command: 'AUTH', requestedUs: 2000, repliedUs: 3000, flushedUs: 4000 },
      { command: 'GET', requestedUs: 2000, repliedUs: 3000, flushedUs: 4000, pipelined: true },
    ]);
    expect(imported().connection(1)).toMatchObject({
      openedUs: 1000,
      closedUs: 9000,
      closedBy: 'client',
      closedHow: 'fin',
      endedUs: 9500,
    });
    expect([...imported().holes()]).toMatchObject([
      { connection: 2, direction: 'client', reason: 'began-before' },
      { connection: 1, direction: 'client', reason: 'redacted', bytes: 11 },
      { connection: 2, direction: 'redis', reason: 'began-before', bytes: 5 },
    ]);
  });

  it('keeps secrets out, and the file to its owner', async () => {
    writeFileSync(file, SMALL);
    await importCapture({ file, trace: path });
    expect(readFileSync(path).includes('hunter2')).toBe(false);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).sort()).toEqual(['c.jsonl', 't.db']);
  });

  it('a real capture, gzip or plain', async () => {
    const expected = { connections: 30, operations: 11632, pushes: 0, holes: 0, durationUs: 28993399 };
    expect(await importCapture({ file: EXAMPLE, trace: path })).toEqual(expected);
    expect(imported().operationCount()).toBe(11632);
    writeFileSync(file, gunzipSync(readFileSync(EXAMPLE)));
    expect(await importCapture({ file, trace: `${path}2` })).toEqual(expected);
  });

  it('a bulk larger than a block, in one chunk', async () => {
    const value = 'v'.repeat(700_000);
    writeFileSync(
      file,
      HEADER +
        line(1, 1, 'open') +
        line(2, 1, 'data', 'client', `*2\r\n$4\r\nECHO\r\n$700000\r\n${value}\r\n`),
    );
    await importCapture({ file, trace: path });
    expect(imported().operation(1)?.args[1]?.toString()).toBe(value);
  });

  const REFUSED: [string, string, () => Buffer | string][] = [
    ['an empty file', 'GAPTRACE_CAPTURE', () => ''],
    ['something else', 'GAPTRACE_CAPTURE', () => 'hello\nworld\n'],
    ['another format', 'GAPTRACE_CAPTURE', () => '{"format":"pcap"}\n'],
    ['a broken line', 'GAPTRACE_CAPTURE', () => `${HEADER}{"t":1,\n${line(2, 1, 'open')}`],
    ['a file cut in the middle of a line', 'GAPTRACE_CAPTURE', () => SMALL.slice(0, -5)],
    ['a gzip file that was cut', 'GAPTRACE_INPUT', () => readFileSync(EXAMPLE).subarray(0, 300_000)],
    ['a gzip file that is damaged', 'GAPTRACE_INPUT', damaged],
    ['a file that calls itself gzip', 'GAPTRACE_CAPTURE', () => Buffer.from('not gzip at all')],
  ];
  it.each(REFUSED)('refuses %s, and leaves nothing', async (_, code, content) => {
    writeFileSync(file, content());
    await expect(importCapture({ file, trace: path })).rejects.toMatchObject({
      name: 'GaptraceError',
      code,
      exitStatus: 2,
      message: expect.stringContaining(file),
    });
    expect(readdirSync(folder)).toEqual(['c.jsonl']);
  });

  it.each([
    ['a broken line', () => `${HEADER}${line(1, 1, 'open')}{"t":1,\n${line(2, 1, 'open')}`, 'line 3'],
    ['a line that was cut', () => `${HEADER}${line(1, 1, 'open')}{"t":1,`, 'line 3 ends in the middle'],
  ])('names the number of %s', async (_, content, said) => {
    writeFileSync(file, content());
    await expect(importCapture({ file, trace: path })).rejects.toThrow(said);
  });

  it('refuses a file that is not there, a folder that is not there', async () => {
    await expect(importCapture({ file, trace: path })).rejects.toMatchObject({ code: 'GAPTRACE_INPUT' });
    writeFileSync(file, SMALL);
    await expect(importCapture({ file, trace: join(folder, 'no', 't.db') })).rejects.toMatchObject({
      code: 'GAPTRACE_TRACE_CREATE',
    });
  });

  it('refuses a trace that exists, and leaves it', async () => {
    writeFileSync(file, SMALL);
    writeFileSync(path, 'precious');
    await expect(importCapture({ file, trace: path })).rejects.toMatchObject({
      code: 'GAPTRACE_TRACE_EXISTS',
    });
    expect(readFileSync(path, 'utf8')).toBe('precious');
  });

  it('does not take the place of a trace that appears meanwhile', async () => {
    writeFileSync(file, SMALL);
    const onProgress = (): void => writeFileSync(path, 'precious');
    await expect(importCapture({ file, trace: path, onProgress })).rejects.toMatchObject({
      code: 'GAPTRACE_TRACE_EXISTS',
    });
    expect(readFileSync(path, 'utf8')).toBe('precious');
    expect(readdirSync(folder).sort()).toEqual(['c.jsonl', 't.db']);
  });

  it('stops when it is told to, and leaves nothing', async () => {
    const stop = new AbortController();
    const onProgress = ({ lines }: { lines: number }): void => {
      if (lines > 500) stop.abort(new Error('stopped'));
    };
    await expect(
      importCapture({ file: EXAMPLE, trace: path, signal: stop.signal, onProgress }),
    ).rejects.toThrow('stopped');
    expect(readdirSync(folder)).toEqual([]);
  });
});

/** A real capture with a byte changed in its middle. */
function damaged(): Buffer {
  const bytes = gzipSync(gunzipSync(readFileSync(EXAMPLE)));
  const middle = Math.floor(bytes.length / 2);
  bytes.fill(0xff, middle, middle + 50);
  return bytes;
}
