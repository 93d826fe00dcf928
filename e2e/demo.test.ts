import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { gaptrace } from './gaptrace.js';

// The demo and the comparison as a user runs them: Redis, proxy, chat server and clients, all real.

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gaptrace-demo-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test.each(['gaptrace', 'django'])(
  'the demo loses a message on the %s server, explains it, and leaves the trace',
  async (server) => {
    const trace = join(directory, 'demo.db');
    const { status, stdout, stderr } = await gaptrace(
      'demo',
      '--server',
      server,
      '--trace',
      trace,
      '--for',
      '2m',
    );
    expect(status, stderr).toBe(0);
    expect(stdout).toContain('LOST: popped-then-disconnected');
    expect(stdout).toContain('silence');
    expect(stdout).not.toContain('INDETERMINATE');

    const log = join(directory, 'demo.clients.jsonl');
    for (const file of [trace, log]) expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(existsSync(`${trace}-wal`)).toBe(false);
    const again = await gaptrace('analyze-gap', trace, '--gaps', log, '--json'); // what it says to try next
    expect(again, again.stderr).toMatchObject({ status: 1 });
  },
  180_000,
);

test('the comparison counts, without a proxy, what each layer loses', async () => {
  const { status, stdout, stderr } = await gaptrace(
    'compare',
    '--only',
    'gaptrace, in memory',
    '--for',
    '3s',
    '--json',
  );
  expect(status, stderr).toBe(0);
  const [memory] = JSON.parse(stdout) as { summary: { total: { sent: number; lost: number } } }[];
  expect(memory?.summary.total.sent).toBeGreaterThan(100);
  expect(memory?.summary.total.lost).toBe(0);
}, 60_000);

test('the comparison knows no such layer: it names those that there are', async () => {
  const { status, stderr } = await gaptrace('compare', '--only', 'kafka');
  expect(status).toBe(2);
  expect(stderr).toContain("no layer has 'kafka' in its name; there are: Django, core layer");
});
