/** Options of `gaptrace server` that make no sense: one clear line, exit status 2. */
import { expect, test } from 'vitest';
import { gaptrace } from '../e2e/gaptrace.js';

test.each([
  [['--port', '70000'], /--port.*a whole number, 0 to 65535/],
  [['--processes', '0'], /--processes.*a whole number, 1 to 64/],
  [['--layer', 'rabbit'], /Allowed choices are redis, pubsub, memory/],
  [['--layer', 'memory', '--processes', '2'], /--layer memory is within one process/],
  [['--layer', 'pubsub', '--receive', 'reliable'], /--receive is of the redis layer/],
  [['--capacity', '0'], /--capacity.*a whole number, 1 or more/],
  [['--expiry', '1.5'], /--expiry.*a whole number/],
  [['--prefix', 'a b'], /prefix is "a b"/],
  [['--redis', 'http://127.0.0.1'], /hosts is "http:\/\/127\.0\.0\.1"/],
  [['--redis', 'redis://u:secret@127.0.0.1/x', '--processes', '2'], /"x" is not the number of a database/],
  [['--max-message', '3'], /--max-message.*at least 1KB/],
  [['--host', '203.0.113.1', '--layer', 'memory'], /cannot listen on 203\.0\.113\.1:8000: EADDRNOTAVAIL/],
])('%j', async (flags, message) => {
  const { status, stdout, stderr } = await gaptrace('server', ...flags);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/secret|bug in gaptrace/);
});

test('the environment variables show in the help', async () => {
  const { stdout } = await gaptrace('server', '--help');
  for (const name of ['REDIS_URL', 'LAYER_PREFIX', 'LAYER_CAPACITY', 'LAYER_EXPIRY', 'LAYER_GROUP_EXPIRY'])
    expect(stdout.replace(/\s+/g, ' ')).toContain(`env: ${name}`);
});
