/** gaptrace's own programs, as the demo and the comparison start them: each in its own process, on a free port of 127.0.0.1. */
import { join } from 'node:path';
import { GaptraceError } from '../terminal/errors.js';
import { startDjango } from './django.js';
import { type Program, ROOT, startProgram } from './programs.js';

export interface ChatServer {
  /** `ws://127.0.0.1:PORT` */
  readonly url: string;
  stop(): Promise<unknown>;
}

/** Programs that are ended together, the last one first. */
export class Stack {
  readonly #running: { stop(): Promise<unknown> }[] = [];

  /** Throws GaptraceError GAPTRACE_DEMO, which says what is needed, where the program does not start. */
  async start<T extends { stop(): Promise<unknown> }>(what: string, starting: Promise<T>): Promise<T> {
    try {
      const program = await starting;
      this.#running.push(program);
      return program;
    } catch (error) {
      const why = String(error).split('\n').slice(0, 3).join(' ');
      throw new GaptraceError('GAPTRACE_DEMO', `this needs ${what}: ${why}`, { cause: error });
    }
  }

  async stop(): Promise<void> {
    for (const program of this.#running.splice(0).reverse()) await program.stop();
  }
}

/** `gaptrace proxy` before a Redis; resolves with its own `redis://` URL. */
export async function startProxy(
  upstream: string,
  trace: string,
  latencyUs: number,
): Promise<Program & { readonly url: string }> {
  const args = ['proxy', '--listen', '127.0.0.1:0', '--trace', trace, '--latency', `${latencyUs}us`];
  const program = await startGaptrace('gaptrace proxy', args, { REDIS_URL: upstream });
  return { ...program, url: `redis://127.0.0.1:${program.ready[1]}` };
}

export interface ChatServerOptions {
  readonly server: 'gaptrace' | 'django';
  /** The layer, as each server names it: redis, pubsub, memory; core, pubsub, memory. */
  readonly layer: string;
  /** How our redis layer receives. */
  readonly receive?: 'channels-redis' | 'reliable';
  readonly redisUrl: string;
}

export async function startChatServer(options: ChatServerOptions): Promise<ChatServer> {
  const { server, layer, receive, redisUrl } = options;
  if (server === 'django') return startDjango(redisUrl, { env: { LAYER: layer } });
  const args = ['server', '--port', '0', '--layer', layer, ...(receive ? ['--receive', receive] : [])];
  const program = await startGaptrace('gaptrace server', args, { REDIS_URL: redisUrl });
  return { url: `ws://127.0.0.1:${program.ready[1]}`, stop: () => program.stop() };
}

/** The URL of a Redis goes by the environment: the command line of a program can be read by everybody. */
function startGaptrace(
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Program> {
  return startProgram({
    name,
    command: process.execPath,
    args: [join(ROOT, 'dist/cli.js'), ...args],
    env,
    cwd: process.cwd(),
    ready: /^listening on \S*:(\d+)\n/m,
  });
}
