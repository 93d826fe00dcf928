/** gaptrace as a user runs it: the built executables, each in a process of its own. */
import { join } from 'node:path';
import { type Program, ROOT, run, startProgram } from './processes.js';

const CLI = join(ROOT, 'dist/cli.js');

export interface ProxyProgram extends Program {
  /** Where clients connect: `redis://127.0.0.1:PORT`. */
  readonly url: string;
  readonly port: number;
}

/** `gaptrace proxy` on a free port; `more` are further flags, such as `--latency 2ms`. */
export async function startProxy(
  upstream: string,
  tracePath: string,
  ...more: readonly string[]
): Promise<ProxyProgram> {
  const program = await startProgram({
    name: 'gaptrace proxy',
    command: process.execPath,
    args: [CLI, 'proxy', '--listen', '127.0.0.1:0', '--upstream', upstream, '--trace', tracePath, ...more],
    ready: /^listening on 127\.0\.0\.1:(\d+)\n/m,
  });
  return { ...program, url: `redis://127.0.0.1:${program.ready[1]}`, port: Number(program.ready[1]) };
}

/** `gaptrace …` to its end. */
export function gaptrace(...args: readonly string[]): ReturnType<typeof run> {
  return run(process.execPath, [CLI, ...args]);
}

/** Rows that a read-only SELECT finds in a trace, by `gaptrace query --sql`. */
export async function select<Row>(tracePath: string, sql: string): Promise<Row[]> {
  const { status, stdout, stderr } = await gaptrace('query', tracePath, '--sql', sql, '--format', 'ndjson');
  if (status !== 0) throw new Error(`gaptrace query ended with ${status}:\n${stderr}`);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row);
}
