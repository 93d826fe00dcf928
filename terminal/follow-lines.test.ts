import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { followLines } from './follow-lines.js';

let directory: string;
let file: string;
let stop: AbortController;
let lines: AsyncGenerator<string, void, undefined>;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gaptrace-follow-'));
  file = join(directory, 'log');
  stop = new AbortController();
  lines = followLines(file, stop.signal);
});
afterEach(() => rmSync(directory, { recursive: true }));

const next = async () => (await lines.next()).value;

it('a file is read from its beginning, and on as it grows', async () => {
  writeFileSync(file, 'a\r\nb\n');
  expect([await next(), await next()]).toEqual(['a', 'b']);
  const third = next();
  appendFileSync(file, 'c\n\n');
  expect([await third, await next()]).toEqual(['c', '']);
});

it('a line is not read before its end is written, whatever lies between', async () => {
  const bytes = Buffer.from('€uro\n');
  writeFileSync(file, bytes.subarray(0, 1));
  let line: unknown;
  const waiting = next().then((read) => {
    line = read;
  });
  for (const byte of bytes.subarray(1)) {
    await new Promise((resolve) => setTimeout(resolve, 150)); // longer than a look takes
    expect(line).toBeUndefined();
    appendFileSync(file, Buffer.of(byte));
  }
  await waiting;
  expect(line).toBe('€uro');
});

it('an empty file is waited for; the signal ends it, also in the middle of a line', async () => {
  writeFileSync(file, '');
  const first = next();
  appendFileSync(file, 'a\nb');
  expect(await first).toBe('a');
  const end = lines.next();
  stop.abort();
  expect(await end).toEqual({ done: true, value: undefined });
});

it('gzip does not grow: it is read to its end', async () => {
  writeFileSync(file, gzipSync('a\nb'));
  expect([await next(), await next(), (await lines.next()).done]).toEqual(['a', 'b', true]);
});

it('a file that gets shorter is refused', async () => {
  writeFileSync(file, 'a\nb\n');
  expect([await next(), await next()]).toEqual(['a', 'b']);
  truncateSync(file, 2);
  await expect(next()).rejects.toMatchObject({
    code: 'GAPTRACE_INPUT',
    message: expect.stringMatching(/it got shorter/) as string,
  });
});

it.each([
  ['is not there', '', /cannot read .*log: no such file/],
  ['is a directory', '..', /cannot read .*: it is a directory/],
])('a file that %s is refused', async (_, more, message) => {
  lines = followLines(join(file, more), stop.signal);
  await expect(next()).rejects.toMatchObject({
    code: 'GAPTRACE_INPUT',
    message: expect.stringMatching(message) as string,
  });
});
