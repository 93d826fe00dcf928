import { expect, test } from 'vitest';
import { createLog } from './log.js';

test('lines for people', () => {
  const lines: string[] = [];
  const log = createLog((text) => lines.push(text), {});
  log.info('one');
  log.warn('two');
  expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} info {2}one\n$/);
  expect(lines[1]).toMatch(/ warn {2}two\n$/);
});

test('NDJSON, and a level', () => {
  const lines: string[] = [];
  const env = { GAPTRACE_LOG_FORMAT: 'json', GAPTRACE_LOG_LEVEL: 'error' };
  const log = createLog((text) => lines.push(text), env);
  log.info('one');
  log.error('two');
  expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['two']);
});

test('a level that does not exist is no reason to fail', () => {
  const lines: string[] = [];
  createLog((text) => lines.push(text), { GAPTRACE_LOG_LEVEL: 'loud' }).info('one');
  expect(lines).toHaveLength(1);
});
