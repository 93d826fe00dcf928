/** `gaptrace server` on a free port, as a user runs it. */
import { join } from 'node:path';
import { type Program, ROOT, startProgram } from './processes.js';

export interface ChatServerProgram extends Program {
  /** `ws://127.0.0.1:PORT` */
  readonly url: string;
  readonly port: number;
}

/** `flags` such as `--redis URL`, `--receive reliable`. */
export function startChatServer(...flags: readonly string[]): Promise<ChatServerProgram> {
  return startChatServerWith({}, ...flags);
}

/** In this environment, beside what the test's own process has. */
export async function startChatServerWith(
  env: Readonly<Record<string, string>>,
  ...flags: readonly string[]
): Promise<ChatServerProgram> {
  const program = await startProgram({
    name: 'gaptrace server',
    command: process.execPath,
    args: [join(ROOT, 'dist/cli.js'), 'server', '--port', '0', ...flags],
    env,
    ready: /^listening on 127\.0\.0\.1:(\d+)\n/m,
  });
  const port = Number(program.ready[1]);
  return { ...program, port, url: `ws://127.0.0.1:${port}` };
}
