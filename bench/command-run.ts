/** A gaptrace command as a user runs it, in a process of its own: how long it took, and what it cost. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { readPeakRss } from './process-cost.js';

export interface CommandRun {
  readonly stdout: string;
  /** From its start to its end, the start of Node included. */
  readonly seconds: number;
  /** From its start to the first byte on standard output; null when there was none. */
  readonly firstOutputSeconds: number | null;
  /** The last look is at most 10 ms before its end. */
  readonly peakRssBytes: number;
}

const CLI = fileURLToPath(new URL('../cli.js', import.meta.url));
const BETWEEN_LOOKS_MS = 10;
/** No answer is waited for longer. */
const PATIENCE_MS = 15 * 60_000;

/** Rejects when it ends with a status that is not among `statuses`, or is not done within 15 minutes. */
export async function runCommand(
  args: readonly string[],
  statuses: readonly number[] = [0],
): Promise<CommandRun> {
  const fromMs = performance.now();
  const child = spawn(process.execPath, [CLI, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: PATIENCE_MS,
  });
  const endWithUs = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', endWithUs);
  let stdout = '';
  let stderr = '';
  let firstOutputSeconds: number | null = null;
  let peakRssBytes = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    firstOutputSeconds ??= (performance.now() - fromMs) / 1000;
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const look = setInterval(() => {
    peakRssBytes = readPeakRss(child.pid ?? 0) ?? peakRssBytes;
  }, BETWEEN_LOOKS_MS);
  let endedMs = 0;
  child.once('exit', () => {
    endedMs = performance.now();
  });
  await once(child, 'close'); // and all that it printed is read
  clearInterval(look);
  process.removeListener('exit', endWithUs);
  const status = child.exitCode;
  if (status === null || !statuses.includes(status))
    throw new Error(`gaptrace ${args.join(' ')} ended with ${status ?? child.signalCode}:\n${stderr}`);
  return { stdout, seconds: (endedMs - fromMs) / 1000, firstOutputSeconds, peakRssBytes };
}
