import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { gaptrace } from './gaptrace.js';
import { ROOT, run } from './processes.js';

// What a tired person hands in by mistake: one clear line on stderr that names it, exit status 2, nothing left behind.

const CAPTURE = join(ROOT, 'examples/resp2.capture.jsonl.gz');
const LOG = join(ROOT, 'examples/resp2.clients.jsonl.gz');

let directory: string;
let whole: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gaptrace-bad-'));
  whole = join(directory, 'whole.db');
  expect(await gaptrace('import', CAPTURE, '--trace', whole)).toMatchObject({ status: 0 });
});
afterAll(() => rmSync(directory, { recursive: true }));

const at = (name: string) => join(directory, name);

function written(name: string, content: string | Buffer): string {
  writeFileSync(at(name), content);
  return at(name);
}

/** One line on stderr that says all of `words`, nothing on stdout, no stack trace. */
async function refused(args: readonly string[], ...words: readonly (string | RegExp)[]): Promise<void> {
  const { status, stdout, stderr } = await gaptrace(...args);
  expect({ status, stdout }, stderr).toEqual({ status: 2, stdout: '' });
  expect(stderr.split('\n').filter((line) => line !== '' && !/^\(.*\)$/.test(line))).toHaveLength(1);
  expect(stderr).not.toMatch(/^\s+at /m);
  for (const word of words) expect(stderr).toMatch(word);
}

describe('a trace', () => {
  const commands = [
    ['analyze-gap', []],
    ['audit', []],
    ['query', []],
  ] as const;

  test.each(commands)('%s: missing', async (command) => {
    await refused([command, at('none.db')], /no trace at .*none\.db/);
  });

  test.each(commands)('%s: a directory', async (command) => {
    await refused([command, directory], directory);
  });

  test.each(commands)('%s: not SQLite', async (command) => {
    await refused([command, written('text.db', 'hello '.repeat(1000))], 'text.db', 'not a gaptrace trace');
  });

  test.each(commands)('%s: SQLite, but not a trace', async (command) => {
    const db = new Database(at('other.db'));
    db.exec('CREATE TABLE IF NOT EXISTS t (x)');
    db.close();
    await refused([command, at('other.db')], 'other.db', 'not a gaptrace trace');
  });

  test.each(commands)('%s: of a newer schema', async (command) => {
    copyFileSync(whole, at('newer.db'));
    const db = new Database(at('newer.db'));
    db.exec("PRAGMA user_version = 99; UPDATE meta SET value = '99' WHERE key = 'schema_version'");
    db.close();
    await refused([command, at('newer.db')], 'newer.db', '99');
  });

  test.each(commands)(
    '%s: locked by another program',
    async (command) => {
      copyFileSync(whole, at('locked.db'));
      const db = new Database(at('locked.db'));
      db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
      try {
        await refused([command, at('locked.db')], 'locked.db', 'locked');
      } finally {
        db.close();
      }
    },
    60_000,
  );

  test('damaged in the middle: said, not shown as if it were whole', async () => {
    const bytes = readFileSync(whole);
    bytes.fill(0x5a, 4096, bytes.length / 2);
    await refused(['analyze-gap', written('damaged.db', bytes)], 'damaged.db');
  });

  test.each(['analyze-gap', 'audit'])(
    '%s: a prefix that it does not have; those that it has are named',
    async (command) => {
      await refused([command, whole, '--prefix', 'absent'], "'absent'", "its prefixes are 'channels_bug'");
    },
  );

  test.each(['analyze-gap', 'audit'])('%s: the one prefix that it has changes nothing', async (command) => {
    const all = await gaptrace(command, whole, '--json');
    expect(all.status).toBe(1);
    expect(await gaptrace(command, whole, '--prefix', 'channels_bug', '--json')).toEqual(all);
  });

  test('read-only, for a user who may not write it: read all the same', async () => {
    // Root may write anything, so the program runs as nobody.
    const nobody =
      process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : ['env'];
    const folder = mkdtempSync(join(tmpdir(), 'gaptrace-read-only-'));
    copyFileSync(whole, join(folder, 't.db'));
    const script = `chmod 444 ${folder}/t.db && chmod 555 ${folder} && exec ${nobody.join(' ')} ${process.execPath} ${ROOT}dist/cli.js analyze-gap ${folder}/t.db --json`;
    try {
      const { status, stdout, stderr } = await run('/bin/sh', ['-c', script]);
      expect(status, stderr).toBe(1);
      expect((JSON.parse(stdout) as { findings: unknown[] }).findings).toHaveLength(8);
      expect(readdirSync(folder)).toEqual(['t.db']);
    } finally {
      await run('/bin/sh', ['-c', `chmod 700 ${folder}`]);
      rmSync(folder, { recursive: true });
    }
  });
});

describe('a capture', () => {
  const raw = () => gunzipSync(readFileSync(CAPTURE));
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(directory, 'import-'));
  });

  async function refusedImport(file: string, ...words: readonly (string | RegExp)[]): Promise<void> {
    await refused(['import', file, '--trace', join(folder, 't.db')], ...words);
    expect(readdirSync(folder)).toEqual([]);
  }

  test('missing', () => refusedImport(at('none.jsonl'), 'none.jsonl', 'no such file'));
  test('gzip, cut in the middle', () =>
    refusedImport(
      written('cut.gz', readFileSync(CAPTURE).subarray(0, 200_000)),
      'cut.gz',
      'gzip',
      /line \d+/,
    ));
  test('plain, cut in the middle of a line', () =>
    refusedImport(written('cut.jsonl', raw().subarray(0, 1_000_000)), 'cut.jsonl', /line \d+/));
  test('named .gz and not gzip', () => refusedImport(written('text.gz', 'hello\n'), 'text.gz'));
  test('of another format', () =>
    refusedImport(
      written('other.jsonl', '{"format":"pcap/1"}\n'),
      'other.jsonl',
      'pcap/1',
      'redis-wire-capture/1',
    ));
  test('a client log by mistake', () => refusedImport(LOG, 'resp2.clients.jsonl.gz', 'redis-wire-capture/1'));
  test('empty', () => refusedImport(written('empty.jsonl', ''), 'empty.jsonl', 'empty'));
  test('damaged gzip', () => {
    const bytes = gzipSync(raw().subarray(0, 100_000));
    bytes.fill(0, 5000, 6000);
    return refusedImport(written('damaged.gz', bytes), 'damaged.gz');
  });

  test('into a trace that exists: refused, and the trace is as it was', async () => {
    const before = readFileSync(whole);
    await refused(['import', CAPTURE, '--trace', whole], 'whole.db', /exists/);
    expect(readFileSync(whole).equals(before)).toBe(true);
  });

  test('into a folder that is not there', () =>
    refused(['import', CAPTURE, '--trace', join(folder, 'no', 't.db')], /no\/t\.db/));
});

describe('gaps', () => {
  const gap =
    '{"schema":1,"event":"gap","client":"c","room":"r","sender":"73cf256d","expected":72,"received":73,"missing":[72]}';

  test('a broken line is named', () =>
    refused(
      ['analyze-gap', whole, '--gaps', written('gaps.jsonl', `${gap}\n{"schema":1,"event":\n`)],
      'gaps.jsonl',
      'line 2',
    ));
  test('a line without its sender is named', () =>
    refused(
      ['analyze-gap', whole, '--gaps', written('gaps2.jsonl', `\n${gap.replace('sender', 'zender')}\n`)],
      'line 2',
      '"sender"',
    ));
  test('a missing file', () =>
    refused(['analyze-gap', whole, '--gaps', at('none.jsonl')], 'none.jsonl', 'no such file'));
  test('a sender that the trace does not know', () =>
    refused(['analyze-gap', whole, '--sender', 'nobody', '--count', '1'], 'no message of sender nobody'));
  test('a file of senders that the trace does not know', () =>
    refused(
      ['analyze-gap', whole, '--gaps', written('strangers.jsonl', gap.replace('73cf256d', 'x'))],
      'no message of sender x',
    ));
  test('a count that is none', () =>
    refused(['analyze-gap', whole, '--sender', 'a', '--count', 'five'], 'five', 'whole number'));
  test('a sender without a count', () =>
    refused(['analyze-gap', whole, '--sender', 'a'], '--sender and --count'));
  test('both questions at once', () =>
    refused(['analyze-gap', whole, '--gaps', LOG, '--sender', 'a', '--count', '1'], 'not both'));

  test('a known sender and a count that is not there: no operation carries it', async () => {
    const { status, stdout } = await gaptrace(
      'analyze-gap',
      whole,
      '--sender',
      '73cf256d',
      '--count',
      '5000',
      '--json',
    );
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      summary: { 'never-sent': 1 },
      findings: [{ verdict: 'never-sent', operations: [] }],
    });
  });

  test('a time that the trace does not cover: undecided', async () => {
    const late = gap.replace('[72]', '[72000]').replace('}', ',"at":"2030-01-01T00:00:00Z"}');
    const { status, stdout } = await gaptrace(
      'analyze-gap',
      whole,
      '--gaps',
      written('late.jsonl', late),
      '--json',
    );
    expect(status).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ findings: [{ verdict: 'indeterminate' }] });
  });

  test('found losses end with 0 where asked', async () => {
    expect(await gaptrace('analyze-gap', whole, '--exit-zero')).toMatchObject({ status: 0 });
  });
});

describe('words', () => {
  test('an unknown command, with the one that was meant', () =>
    refused(['analyse-gap', whole], 'analyse-gap', 'analyze-gap'));
  test('an unknown option', () => refused(['query', whole, '--keys', 'x'], '--keys', '--key'));
  test('SQL that writes', async () => {
    for (const sql of [
      'DELETE FROM operation',
      "ATTACH '/tmp/x' AS x",
      'PRAGMA user_version = 5',
      'VACUUM',
      'SELECT 1; DELETE FROM hole',
    ])
      await refused(['query', whole, '--sql', sql], 'SQL');
  });
  test('SQL with a mistake', () => refused(['query', whole, '--sql', 'SELECT x FROM nowhere'], 'nowhere'));
  test('a time that is none', () => refused(['query', whole, '--since', 'yesterday'], 'yesterday'));
});
