/**
 * The observer asks Redis about itself, on a connection of its own beside the tunnels: at the start which Redis it is
 * (version, run_id, role, maxmemory-policy), then every 10 s a sample of INFO. A message that was evicted, or that
 * a restart took, leaves no other mark on the wire.
 *
 * It is a guest. Where it is refused (ACL) or Redis is away, the trace says so and the proxy goes on; it never keeps the
 * proxy from starting or stopping.
 */
import { Redis, type RedisOptions } from 'ioredis';
import { messageOf } from '../terminal/errors.js';
import type { Log } from '../terminal/log.js';
import type { Note } from './tape.js';
import type { Upstream } from './upstream.js';

export interface ObserverOptions {
  readonly upstream: Upstream;
  readonly note: (note: Note) => void;
  readonly log: Log;
  readonly everyMs?: number;
}

const EVERY_MS = 10_000;
const ANSWER_WITHIN_MS = 5_000;
/** What the last sample may take, when the proxy stops. */
const LAST_SAMPLE_MS = 500;

const SAMPLE_FIELDS = [
  'run_id',
  'role',
  'connected_clients',
  'used_memory',
  'total_commands_processed',
  'evicted_keys',
  'expired_keys',
] as const;

/** `meta` key -> field of INFO. */
const IDENTITY_FIELDS = {
  redis_version: 'redis_version',
  redis_run_id: 'run_id',
  redis_role: 'role',
  redis_maxmemory_policy: 'maxmemory_policy',
} as const;

export class Observer {
  readonly #options: ObserverOptions;
  #redis: Redis | null = null;
  /** Why the connection failed: the command that waited for it is only told that it is closed. */
  #connectionError: Error | null = null;
  #timer: NodeJS.Timeout | undefined;
  #asking: Promise<void> | null = null;
  /** What `meta.observer` says. */
  #state = '';
  #runId: string | null = null;
  #runIdChanges = 0;
  #stopped = false;

  /** Takes the first sample soon, and does not wait for it. */
  static start(options: ObserverOptions): Observer {
    const observer = new Observer(options);
    observer.#timer = setInterval(() => void observer.#sample(), options.everyMs ?? EVERY_MS).unref();
    void observer.#sample();
    return observer;
  }

  private constructor(options: ObserverOptions) {
    this.#options = options;
  }

  /** Takes a last sample if Redis answers at once, and ends. Never rejects. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    let impatience: NodeJS.Timeout | undefined;
    const soon = new Promise((resolve) => {
      impatience = setTimeout(resolve, LAST_SAMPLE_MS);
    });
    await Promise.race([this.#state === 'ok' ? this.#sample() : undefined, soon]);
    clearTimeout(impatience);
    this.#stopped = true;
    this.#redis?.disconnect();
  }

  /** Never rejects. One at a time: while Redis is silent the next ones are left out. */
  #sample(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #ask(): Promise<void> {
    try {
      const redis = this.#connection();
      const fields = parseInfo(await redis.info());
      if (!this.#stopped) this.#noteSample(fields);
    } catch (error) {
      this.#redis?.disconnect();
      this.#redis = null;
      if (!this.#stopped) this.#noteState(whyNot(error, this.#connectionError));
    }
  }

  #connection(): Redis {
    if (this.#redis !== null && this.#redis.status !== 'end') return this.#redis;
    const redis = new Redis(connectionOptions(this.#options.upstream));
    this.#connectionError = null;
    redis.on('error', (error: Error) => {
      this.#connectionError = error;
    });
    this.#redis = redis;
    return redis;
  }

  #noteSample(fields: ReadonlyMap<string, string>): void {
    const runId = fields.get('run_id') ?? '';
    if (this.#runId === null) {
      const identity = Object.entries(IDENTITY_FIELDS).map(([key, field]) => [
        key,
        fields.get(field) ?? 'unknown',
      ]);
      this.#options.note({ note: 'meta', values: Object.fromEntries(identity) as Record<string, string> });
    } else if (this.#runId !== runId) {
      this.#runIdChanges += 1;
      const change = `${this.#runId} -> ${runId}`;
      this.#options.note({ note: 'meta', values: { [`redis_run_id_change_${this.#runIdChanges}`]: change } });
      this.#options.log.warn(`Redis is another process now: run_id ${change}`);
    }
    this.#runId = runId;
    this.#noteState('ok');
    const values = SAMPLE_FIELDS.map((field) => [field, fields.get(field)]).filter(
      ([, value]) => value !== undefined,
    );
    this.#options.note({
      note: 'redis-sample',
      values: Object.fromEntries(values) as Record<string, string>,
    });
  }

  /** Says it once for each change. */
  #noteState(state: string): void {
    if (this.#state === state) return;
    if (state !== 'ok')
      this.#options.log.warn(`the observer's connection to Redis: ${state}; forwarding goes on`);
    else if (this.#state !== '') this.#options.log.info("the observer's connection to Redis is back");
    this.#state = state;
    this.#options.note({ note: 'meta', values: { observer: state } });
  }
}

function connectionOptions(upstream: Upstream): Omit<RedisOptions, 'replyMapping'> {
  const { address } = upstream;
  const { username, password } = upstream.credentials();
  const where =
    address.kind === 'unix'
      ? { path: address.path }
      : { host: address.host, port: address.port, ...(address.kind === 'tls' ? { tls: {} } : {}) };
  return {
    ...where,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    protocol: 2,
    disableClientInfo: true,
    enableReadyCheck: false, // it asks INFO too: one refusal is enough
    maxRetriesPerRequest: 0,
    retryStrategy: () => null, // the next sample tries again
    connectTimeout: ANSWER_WITHIN_MS,
    commandTimeout: ANSWER_WITHIN_MS,
    disconnectTimeout: 100,
  };
}

/** Redis' own refusals begin with a word in capitals: NOPERM, NOAUTH, WRONGPASS. */
function whyNot(asking: unknown, connecting: Error | null): string {
  for (const error of [asking, connecting]) {
    const message = messageOf(error).slice(0, 200);
    if (/^[A-Z]{4,} /.test(message)) return `refused: ${message}`;
  }
  const code = (connecting as NodeJS.ErrnoException | null)?.code;
  return `unreachable: ${code ?? messageOf(connecting ?? asking)}`;
}

/** The `field:value` lines of INFO. */
export function parseInfo(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}
