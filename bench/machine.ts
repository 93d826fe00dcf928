/** Where and with what a benchmark ran: numbers mean nothing without it. */
import { execFile } from 'node:child_process';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { promisify } from 'node:util';
import { VERSION } from '../terminal/version.js';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  /** Over the minute before the run: 0 on a machine with nothing else to do. */
  readonly loadBefore: number;
  readonly versions: Readonly<Record<'gaptrace' | 'node' | 'redis' | 'haproxy' | 'nutcracker', string>>;
}

export async function describeMachine(): Promise<Machine> {
  const cores = cpus();
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    memoryBytes: totalmem(),
    kernel: `${type()} ${release()}`,
    loadBefore: loadavg()[0] ?? 0,
    versions: {
      gaptrace: VERSION,
      node: process.versions.node,
      redis: await versionOf('redis-server', '--version'),
      haproxy: await versionOf('haproxy', '-v'),
      nutcracker: await versionOf('nutcracker', '-V'),
    },
  };
}

async function versionOf(program: string, flag: string): Promise<string> {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, [flag]);
    return parseVersion(stdout + stderr);
  } catch {
    throw new Error(`${program} cannot be run: \`make bench\` installs what is missing`);
  }
}

/** The first thing like 7.0.15 in a program's word on its version. */
export function parseVersion(text: string): string {
  return /\d+\.\d+(?:\.\d+)*/.exec(text)?.[0] ?? 'unknown';
}
