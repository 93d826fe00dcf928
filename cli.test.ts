/** What the two executables have in common: help, usage errors, versions, and a reader that leaves. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { gaptrace } from './e2e/gaptrace.js';
import { ROOT, run } from './e2e/processes.js';

const COMMANDS = [
  'proxy',
  'import',
  'query',
  'analyze-gap',
  'audit',
  'server',
  'client',
  'swarm',
  'demo',
  'compare',
];

test('help lists the commands, and each has help with an example', async () => {
  const help = await gaptrace('--help');
  expect(help).toMatchObject({ status: 0, stderr: '' });
  for (const command of COMMANDS) {
    expect(help.stdout).toMatch(new RegExp(`^ {2}${command} `, 'm'));
    const own = await gaptrace(command, '--help');
    expect(own).toMatchObject({ status: 0, stderr: '' });
    expect(own.stdout).toMatch(/Examples?:\n {2}.*\b(gaptrace|analyze-gap) /);
  }
});

test('environment variables show in the help of the proxy', async () => {
  const stdout = (await gaptrace('proxy', '--help')).stdout.replace(/\s+/g, ' ');
  for (const name of ['REDIS_URL', 'GAPTRACE_TRACE']) expect(stdout).toContain(`env: ${name}`);
});

test.each([
  [['porxy'], /^gaptrace: unknown command 'porxy'\n\(Did you mean proxy\?\)/],
  [['proxy', '--latancy', '2ms'], /^gaptrace: unknown option '--latancy'\n\(Did you mean --latency\?\)/],
  [['proxy', 'extra'], /^gaptrace: too many arguments/],
  [['import'], /^gaptrace: /],
  [[], /^Usage: gaptrace/],
])('%j is a usage error: exit status 2', async (args, message) => {
  const result = await gaptrace(...args);
  expect(result).toMatchObject({ status: 2, stdout: '' });
  expect(result.stderr).toMatch(message);
});

test('the version is that of package.json', async () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  expect(await gaptrace('--version')).toMatchObject({ status: 0, stdout: `${version}\n` });
});

test('analyze-gap is gaptrace analyze-gap', async () => {
  const short = await run(process.execPath, [join(ROOT, 'dist/analyze-gap.js'), '--help']);
  expect(short).toEqual(await gaptrace('analyze-gap', '--help'));
  const wrong = await run(process.execPath, [join(ROOT, 'dist/analyze-gap.js'), '/nonexistent.db']);
  expect(wrong).toMatchObject({ status: 2, stdout: '' });
  expect(wrong.stderr).toMatch(/^gaptrace: .*nonexistent\.db.*\n$/);
});

test('a reader that leaves early is no error', async () => {
  const result = await run('sh', [
    '-c',
    `"${process.execPath}" "${join(ROOT, 'dist/cli.js')}" proxy --help | true`,
  ]);
  expect(result).toMatchObject({ status: 0, stderr: '' });
});
