// `gaptrace import` as a user runs it. Uses the built dist/.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startCommand } from '../../e2e/running-command.js';

const EXAMPLE = new URL('../../examples/resp2.capture.jsonl.gz', import.meta.url).pathname;
const HEADER = '{"format":"redis-wire-capture/1","started_unix_ms":1795440325097,"delay_ms":2}\n';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gaptrace-import-command-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const start = (...args: string[]) => startCommand(folder, 'import', ...args);

describe('gaptrace import', () => {
  it('says what it made', async () => {
    expect(await start(EXAMPLE, '--trace', 't.db').ended).toEqual({
      status: 0,
      stdout: expect.stringMatching(/^t\.db: 30 connections, 11632 operations, 0 pushes, 0 holes, .+\n$/),
      stderr: '', // no progress where nobody watches
    });
    expect(readdirSync(folder)).toEqual(['t.db']);
  });

  it('reads standard input', async () => {
    const { child, ended } = start('-', '--trace', 't.db');
    child.stdin.end(`${HEADER}{"t":1,"conn":1,"ev":"open"}\n`);
    expect(await ended).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('1 connection, 0 operations'),
    });
  });

  it.each([
    ['a file that is not there', ['none.jsonl', '--trace', 't.db'], 'none.jsonl'],
    ['a file of another kind', ['text', '--trace', 't.db'], 'not a capture'],
    ['a trace that exists', ['text', '--trace', 'text'], 'exists already'],
  ])('refuses %s in one line, with status 2', async (_, args, said) => {
    writeFileSync(join(folder, 'text'), 'hello\n');
    const { status, stdout, stderr } = await start(...args).ended;
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^gaptrace: [^\n]+\n$/);
    expect(stderr).toContain(said);
    expect(readdirSync(folder)).toEqual(['text']);
  });

  it('needs to know where to', async () => {
    expect(await start(EXAMPLE).ended).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--trace'),
    });
  });

  it('interrupted, leaves nothing', async () => {
    const { child, ended } = start('-', '--trace', 't.db');
    child.stdin.write(`${HEADER}{"t":1,"conn":1,"ev":"open"}\n{"t":2,"conn":2,"ev":"open"}\n`);
    while (!readdirSync(folder).some((name) => name.includes('importing')))
      await new Promise((resolve) => setTimeout(resolve, 10));
    child.kill('SIGINT');
    expect(await ended).toEqual({
      status: 130,
      stdout: '',
      stderr: 'gaptrace: interrupted: no trace was written\n',
    });
    expect(readdirSync(folder)).toEqual([]);
  });
});
