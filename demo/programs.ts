/**
 * Programs that a test or the demo starts: known to be ready by what they print, ended by their own process id, and with all
 * that they printed at hand, because a failure without the log of the program that failed helps nobody.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The root of the project, where dist/ and server/ are; this file runs from source and from dist/. */
export const ROOT = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '..' : '../..', import.meta.url));

export interface ProgramOptions {
  /** What the test calls it. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** It is ready when this is found in what it has printed, on stdout and stderr together. */
  readonly ready: RegExp;
  /** How long that may take. */
  readonly readyWithinMs?: number;
}

export interface Exit {
  /** Exit status; null when a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Program {
  readonly pid: number;
  /** What `ready` matched: a bound port, for one. */
  readonly ready: RegExpExecArray;
  /** Everything printed so far. */
  output(): string;
  /** Sends the signal and waits for the end. Can be called twice; SIGKILL follows after two minutes, and is an error. */
  stop(signal?: NodeJS.Signals): Promise<Exit>;
}

/** A proxy that drains on a busy machine has much to store: what is far beyond that hangs. */
const END_WITHIN_MS = 120_000;

/** Starts a program and resolves when it is ready; rejects with its output when it ends or takes too long instead. */
export async function startProgram(options: ProgramOptions): Promise<Program> {
  const { name, command, args, ready: pattern, readyWithinMs = 20_000 } = options;
  const child = spawn(command, args, {
    cwd: options.cwd ?? ROOT,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  let exit: Exit | undefined;
  const ended = new Promise<Exit>((resolve) => {
    child.once('error', (error) => {
      text += String(error); // there is no such program
      resolve({ status: null, signal: null });
    });
    child.once('close', (status, signal) => resolve({ status, signal }));
  }).then((how) => {
    exit = how;
    process.removeListener('exit', endWithUs);
    return how;
  });
  const endWithUs = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', endWithUs);

  const found = new Promise<RegExpExecArray>((resolve) => {
    const read = (chunk: Buffer): void => {
      text += chunk.toString();
      const match = pattern.exec(text);
      if (match !== null) resolve(match);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
  });
  const tooLate = AbortSignal.timeout(readyWithinMs);
  const ready = await Promise.race([found, ended, once(tooLate, 'abort')]);
  if (!('index' in ready)) {
    endWithUs();
    const why = exit === undefined ? `was not ready after ${readyWithinMs} ms` : 'ended before it was ready';
    throw new Error(`${name} ${why}. It printed:\n${text}`);
  }

  return {
    pid: child.pid ?? 0,
    ready,
    output: () => text,
    async stop(signal = 'SIGTERM') {
      if (exit !== undefined) return exit;
      child.kill(signal);
      let killed = false;
      const impatience = setTimeout(() => {
        killed = true;
        endWithUs();
      }, END_WITHIN_MS);
      const how = await ended;
      clearTimeout(impatience);
      if (killed) throw new Error(`${name} did not end on ${signal}. It printed:\n${text}`);
      return how;
    },
  };
}

/** Runs a program to its end. */
export async function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd = ROOT,
): Promise<Exit & { readonly stdout: string; readonly stderr: string }> {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const printed = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    printed.stderr += text;
  });
  const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { status, signal, ...printed };
}
