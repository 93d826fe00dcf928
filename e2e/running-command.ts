/** A command of the built gaptrace while it runs: its child process, to be written to or signalled, and how it ended. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './processes.js';

const CLI = join(ROOT, 'dist/cli.js');

export function startCommand(folder: string, ...args: readonly string[]) {
  const child = spawn(process.execPath, [CLI, ...args], { cwd: folder });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<{ status: number | null; stdout: string; stderr: string }>((resolve) => {
    child.once('close', (status) => resolve({ status, stdout, stderr }));
  });
  return { child, ended };
}
