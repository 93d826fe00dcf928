/**
 * The real Python channels_redis 4.0.0 as a test uses it: the calls of a channel layer, in a process of Debian's own Python
 * (python_layer.py). Its answers are Python's; nothing here knows what they should be.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ChannelLayer, Message } from '../server/layers/layer.js';
import { ROOT } from './processes.js';

/** Options of RedisChannelLayer, as Python names them. */
export interface PythonLayerOptions {
  readonly hosts: readonly string[];
  readonly prefix?: string;
  readonly capacity?: number;
  readonly channel_capacity?: Readonly<Record<string, number>>;
  readonly expiry?: number;
  readonly group_expiry?: number;
  /** Needs Debian's python3-cryptography. */
  readonly symmetric_encryption_keys?: readonly string[];
  /** No option of the layer: what a forked process has from its parent. */
  readonly client_prefix?: string;
}

/** The layer; a call that raises rejects with `PythonError`. `close` ends the process. */
export interface PythonLayer extends Omit<ChannelLayer, 'check'> {
  /** Of its process, for a test that stops it for a while. */
  readonly pid: number;
  /** The index of each name's host, of `hosts` many. */
  shards(names: readonly string[], hosts: number): Promise<readonly number[]>;
  /** Ends the process as nothing can prevent: SIGKILL. */
  kill(): Promise<void>;
}

/** What a call raised: the class of the exception, and its text. */
export class PythonError extends Error {
  constructor(
    readonly type: string,
    text: string,
  ) {
    super(`${type}: ${text}`);
  }
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
  readonly message?: string;
}

/** Starts the process and resolves when it takes calls. */
export async function startPythonLayer(
  kind: 'core' | 'pubsub',
  options: PythonLayerOptions,
): Promise<PythonLayer> {
  const child = spawn(
    '/usr/bin/python3',
    [join(ROOT, 'e2e/python_layer.py'), kind, JSON.stringify(options)],
    {
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  const endWithUs = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', endWithUs);
  let printed = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const ended = once(child, 'close').then(() => {
    process.removeListener('exit', endWithUs);
    for (const { reject } of calls.values()) reject(new Error(`the Python layer has ended:\n${printed}`));
    calls.clear();
  });

  const calls = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  const lines = createInterface({ input: child.stdout });
  const ready = once(lines, 'line');
  await Promise.race([
    ready,
    ended.then(() => {
      throw new Error(`the Python layer did not start:\n${printed}`);
    }),
  ]);
  lines.on('line', (line) => {
    const answer = JSON.parse(line) as Answer;
    const call = calls.get(answer.id);
    calls.delete(answer.id);
    if (answer.error !== undefined) call?.reject(new PythonError(answer.error, answer.message ?? ''));
    else call?.resolve(answer.result);
  });

  let last = 0;
  const write = (request: object): void => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
  };
  const call = (name: string, ...args: readonly unknown[]): Promise<unknown> => {
    const id = ++last;
    write({ id, call: name, args });
    return new Promise((resolve, reject) => calls.set(id, { resolve, reject }));
  };
  return {
    pid: child.pid as number,
    newChannel: (...prefix) => call('new_channel', ...prefix) as Promise<string>,
    send: (channel, message) => call('send', channel, message) as Promise<void>,
    receive: async (channel, { signal } = {}) => {
      const id = last + 1;
      const cancel = () => write({ cancel: id });
      signal?.addEventListener('abort', cancel, { once: true });
      try {
        return (await call('receive', channel)) as Message;
      } finally {
        signal?.removeEventListener('abort', cancel);
      }
    },
    groupAdd: (group, channel) => call('group_add', group, channel) as Promise<void>,
    groupDiscard: (group, channel) => call('group_discard', group, channel) as Promise<void>,
    groupSend: (group, message) => call('group_send', group, message) as Promise<void>,
    flush: () => call('flush') as Promise<void>,
    shards: (names, hosts) => call('shards', names, hosts) as Promise<readonly number[]>,
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
    async close() {
      child.stdin.end();
      child.kill('SIGTERM');
      await ended;
    },
  };
}
