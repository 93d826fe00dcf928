import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GaptraceError } from './errors.js';
import { readLines } from './lines.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'gaptrace-lines-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

async function linesOf(path: string): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of readLines(path)) lines.push(line);
  return lines;
}

async function refusalOf(path: string): Promise<string> {
  const error: unknown = await linesOf(path).catch((reason: unknown) => reason);
  if (!(error instanceof GaptraceError)) throw new Error('it was not refused');
  expect(error.code).toBe('GAPTRACE_INPUT');
  return error.message;
}

describe('the lines of a file', () => {
  it.each([
    ['nothing', '', []],
    ['one byte', 'a', ['a']],
    ['one line', 'a\n', ['a']],
    ['no end on the last line', 'a\nbc', ['a', 'bc']],
    ['empty lines', '\n\na\n', ['', '', 'a']],
    ['the line ends of Windows', 'a\r\nb\r\n', ['a', 'b']],
    ['more than a chunk, characters of several bytes across it', `é€😀${'é€😀'.repeat(50_000)}\nz`, null],
  ])('%s, plain and gzip', async (name, content, lines) => {
    const wanted = lines ?? content.split('\n');
    expect(await linesOf(file(name, content))).toEqual(wanted);
    expect(await linesOf(file(`${name}.gz`, gzipSync(content)))).toEqual(wanted);
  });

  it('come from standard input for -', () => {
    const program = `import { readLines } from ${JSON.stringify(new URL('../dist/terminal/lines.js', import.meta.url))};
      for await (const line of readLines('-')) console.log('<' + line + '>');`;
    const run = (input: string | Uint8Array) =>
      spawnSync(process.execPath, ['--input-type=module', '-e', program], { input, encoding: 'utf8' });
    expect(run('a\nb')).toMatchObject({ stdout: '<a>\n<b>\n', status: 0 });
    expect(run(gzipSync('a\nb'))).toMatchObject({ stdout: '<a>\n<b>\n', status: 0 });
  });

  it('may be left before the end', async () => {
    for await (const line of readLines(file('long.gz', gzipSync('a\n'.repeat(1e6))))) {
      expect(line).toBe('a');
      break;
    }
  });
});

describe('a file that cannot be read', () => {
  it('is named with the reason', async () => {
    expect(await refusalOf(join(directory, 'absent'))).toBe(
      `cannot read ${join(directory, 'absent')}: no such file`,
    );
    expect(await refusalOf(directory)).toMatch(/it is a directory$/);
  });

  it('when it is gzip and was cut, says after which line', async () => {
    // Lines that do not compress well, so that the cut falls far behind the first.
    const lines = Array.from({ length: 20_000 }, (_, i) => `${i} ${Math.sin(i)}`).join('\n');
    const whole = gzipSync(lines);
    const message = await refusalOf(file('cut.gz', whole.subarray(0, whole.length / 2)));
    expect(message).toMatch(/after line \d+: the gzip data ends early \(the file was cut\)$/);
  });

  it('when its gzip data is damaged, says so', async () => {
    const damaged = Buffer.from(gzipSync('a\n'.repeat(1000)));
    damaged.fill(0xff, 12, 20);
    expect(await refusalOf(file('damaged.gz', damaged))).toMatch(/the gzip data is damaged/);
  });
});
