import { afterEach, expect, test, vi } from 'vitest';
import { GaptraceError } from './errors.js';
import { argument, createProgram, report, runProgram } from './program.js';

const written: string[] = [];
vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
  written.push(String(text));
  return true;
});
const before = process.exitCode;
afterEach(() => {
  written.length = 0;
  process.exitCode = before;
});

test('an error that is not ours to fix is one line, and its own exit status', () => {
  expect(report(new GaptraceError('GAPTRACE_TEST', 'no such trace', { exitStatus: 3 }))).toBe(3);
  expect(written).toEqual(['gaptrace: no such trace\n']);
});

test('a bug is a stack trace, and exit status 70', () => {
  expect(report(new TypeError('undefined is not a function'))).toBe(70);
  expect(written.join('')).toMatch(
    /^gaptrace: this is a bug .*\nTypeError: undefined is not a function\n {4}at /,
  );
});

test('a command that fails decides the exit status; a value that does not parse names its option', async () => {
  const program = createProgram('gaptrace', 'for the test', '1.2.3');
  program
    .command('fail')
    .option(
      '--size <size>',
      'a size',
      argument((text: string) => {
        throw new GaptraceError('GAPTRACE_TEST', `'${text}' is not a size`);
      }),
    )
    .action(() => {
      throw new GaptraceError('GAPTRACE_TEST', 'it failed');
    });
  await runProgram(program, ['node', 'gaptrace', 'fail']);
  expect(process.exitCode).toBe(2);
  expect(written).toEqual(['gaptrace: it failed\n']);
  written.length = 0;
  await runProgram(program, ['node', 'gaptrace', 'fail', '--size', 'x']);
  expect(process.exitCode).toBe(2);
  expect(written.join('')).toBe(
    "gaptrace: option '--size <size>' argument 'x' is invalid. 'x' is not a size\n(--help tells more)\n",
  );
});

test('--no-color works as NO_COLOR does', async () => {
  vi.stubEnv('NO_COLOR', undefined);
  const program = createProgram('gaptrace', 'for the test', '1.2.3');
  let seen: string | undefined;
  program.command('show').action(() => {
    seen = process.env.NO_COLOR;
  });
  await runProgram(program, ['node', 'gaptrace', 'show', '--no-color']);
  expect(seen).toBe('1');
  vi.unstubAllEnvs();
});
