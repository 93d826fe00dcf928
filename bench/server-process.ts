/**
 * A server of the benchmark in a process of its own: started on a free port of 127.0.0.1, ready when it accepts a
 * connection, and ended by its own process id. However the benchmark ends, its servers end with it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../demo/redis.js';
import { type ProcessCost, readProcessCost } from './process-cost.js';

export interface ServerCommand {
  readonly name: string;
  readonly command: string;
  /** The arguments with which it listens on this port. */
  readonly args: (port: number) => readonly string[];
}

export interface Stopped {
  /** From the signal to the end of the process. */
  readonly seconds: number;
  /** Over its whole life. The last look is at most 10 ms before its end. */
  readonly cost: ProcessCost;
}

const ATTEMPTS = 5;
const READY_WITHIN_MS = 20_000;
const BETWEEN_LOOKS_MS = 10;

export class ServerProcess {
  readonly port: number;
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #endWithUs = (): void => {
    this.#child.kill('SIGKILL');
  };
  #output = '';
  #endedAtMs: number | null = null;

  /** Rejects with what the server printed when it does not come up. */
  static async start(command: ServerCommand): Promise<ServerProcess> {
    for (let attempt = 1; ; attempt++) {
      const server = new ServerProcess(command, await freePort());
      if (await server.#accepts()) return server;
      await server.#kill();
      // Somebody may have taken the port in between.
      if (attempt === ATTEMPTS) throw new Error(`${command.name} did not start:\n${server.#output}`);
    }
  }

  private constructor({ name, command, args }: ServerCommand, port: number) {
    this.#name = name;
    this.port = port;
    this.#child = spawn(command, args(port), { stdio: ['ignore', 'pipe', 'pipe'] });
    process.once('exit', this.#endWithUs);
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString();
      });
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        this.#output += `${error.message}: is it installed? \`make bench\` does that\n`;
        this.#end(resolve);
      });
      this.#child.once('exit', () => this.#end(resolve));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** What it has cost up to now. */
  cost(): ProcessCost {
    const cost = readProcessCost(this.pid);
    if (cost === null) throw new Error(`${this.#name} has ended early. It printed:\n${this.#output}`);
    return cost;
  }

  /** Ends it by SIGTERM and waits, however long it takes. Rejects when it ends with an error. */
  async stop(): Promise<Stopped> {
    let cost = this.cost();
    const fromMs = performance.now();
    this.#child.kill('SIGTERM');
    while (this.#endedAtMs === null) {
      cost = readProcessCost(this.pid) ?? cost;
      await Promise.race([this.#ended, sleep(BETWEEN_LOOKS_MS)]);
    }
    // Who has no handler is ended by the signal itself, and HAProxy says so with the status of a shell.
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== 0 && exitCode !== 143 && signalCode !== 'SIGTERM')
      throw new Error(`${this.#name} ended with ${exitCode ?? signalCode}. It printed:\n${this.#output}`);
    return { seconds: (this.#endedAtMs - fromMs) / 1000, cost };
  }

  #end(resolve: () => void): void {
    this.#endedAtMs ??= performance.now();
    process.removeListener('exit', this.#endWithUs);
    resolve();
  }

  async #kill(): Promise<void> {
    if (this.#endedAtMs === null) this.#endWithUs();
    await this.#ended;
  }

  async #accepts(): Promise<boolean> {
    const untilMs = performance.now() + READY_WITHIN_MS;
    while (this.#endedAtMs === null && performance.now() < untilMs) {
      if (await canConnect(this.port)) {
        // If another program took the port, ours is about to say so and end.
        await Promise.race([this.#ended, sleep(50)]);
        return this.#endedAtMs === null;
      }
      await sleep(BETWEEN_LOOKS_MS);
    }
    return false;
  }
}

async function canConnect(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
