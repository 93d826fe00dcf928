// `gaptrace generate` as a user runs it. Uses the built dist/.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startCommand } from '../e2e/running-command.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gaptrace-generate-command-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const start = (...args: string[]) => startCommand(folder, 'generate', ...args);

it('says what it made', async () => {
  expect(await start('t.db', '--operations', '2k', '--labels', 'l').ended).toEqual({
    status: 0,
    stdout: expect.stringMatching(
      /^t\.db: \d+ connections, 2\d{3} operations, \d+ messages in queues, \d+ of them not plainly delivered, .+s\n$/,
    ),
    stderr: '', // no progress where nobody watches
  });
  expect(readdirSync(folder).sort()).toEqual(['l', 't.db']);
});

it.each([
  ['no number of operations', ['t.db'], '--operations'],
  ['nonsense for a number', ['t.db', '--operations', 'many'], 'a number such as 50000, 250k or 10M'],
  ['no operations', ['t.db', '--operations', '0'], 'a number such as'],
  ['a rate over all bounds', ['t.db', '--operations', '1k', '--losses', '2'], 'a number from 0 to 0.1'],
  ['no process', ['t.db', '--operations', '1k', '--processes', '0'], 'a whole number, 1 to 1000'],
  ['a trace that exists', ['mine', '--operations', '1k'], 'mine exists already'],
])('refuses %s, with status 2', async (_, args, said) => {
  writeFileSync(join(folder, 'mine'), 'hello\n');
  const { status, stdout, stderr } = await start(...args).ended;
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(/^gaptrace: /);
  expect(stderr).toContain(said);
  expect(readdirSync(folder)).toEqual(['mine']);
});

it('interrupted, leaves nothing', async () => {
  const { child, ended } = start('t.db', '--operations', '1G', '--labels', 'l');
  while (!readdirSync(folder).some((name) => name.startsWith('t.db.generating')))
    await new Promise((resolve) => setTimeout(resolve, 10));
  child.kill('SIGINT');
  expect(await ended).toEqual({
    status: 130,
    stdout: '',
    stderr: 'gaptrace: interrupted: no trace was written\n',
  });
  expect(readdirSync(folder)).toEqual([]);
});
