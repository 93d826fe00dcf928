import { expect, test } from 'vitest';
import { createLog } from '../terminal/log.js';
import { SeldomLog } from './seldom.js';

test('the first of a kind is said, the next ones are counted for ten seconds', () => {
  const lines: string[] = [];
  let now = 0;
  const log = new SeldomLog(
    createLog((line) => lines.push(line.replace(/^\S+ /, ''))),
    () => now,
  );
  log.say('warn', 'full', 'full');
  log.say('warn', 'other', 'other');
  for (now = 1; now < 10_000; now += 1_000) log.say('warn', 'full', 'full');
  expect(lines).toEqual(['warn  full\n', 'warn  other\n']);
  now = 10_000;
  log.say('warn', 'full', 'full');
  log.say('warn', 'full', 'full');
  now = 30_000;
  log.say('info', 'full', 'full');
  expect(lines.slice(2)).toEqual([
    'warn  full (and 10 more like it before)\n',
    'info  full (and 1 more like it before)\n',
  ]);
});
