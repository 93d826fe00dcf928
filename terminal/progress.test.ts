import { expect, test } from 'vitest';
import { ProgressLine } from './progress.js';

function terminal(isTTY: boolean) {
  const written: string[] = [];
  return { isTTY, columns: 12, written, write: (text: string) => written.push(text) };
}

test('rewrites one line, ten times a second at most, and takes it away', () => {
  const stream = terminal(true);
  let now = 0;
  const line = new ProgressLine(stream, () => now);
  line.update(() => 'one');
  now = 99;
  line.update(() => 'too soon');
  now = 100;
  line.update(() => 'two, and too long for the line');
  line.clear();
  line.clear();
  expect(stream.written).toEqual(['\r\x1b[Kone', '\r\x1b[Ktwo, and to', '\r\x1b[K']);
});

test('writes nothing where stderr is not a terminal', () => {
  const stream = terminal(false);
  const line = new ProgressLine(stream, () => 0);
  line.update(() => 'one');
  line.clear();
  expect(stream.written).toEqual([]);
});
