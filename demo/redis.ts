/**
 * A private Redis for a test or a demo: a real redis-server on a free loopback port (and a unix socket or TLS where
 * asked), in its own temporary directory, saving nothing, stopped by its own pid. It waits for the server's own word
 * that it is ready, so a port that somebody else took in between is noticed and another one is tried.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis, type RedisOptions } from 'ioredis';

/** What a test may say of its client; `replyMapping` changes the type of a client, and no test needs it. */
type ClientOptions = Omit<RedisOptions, 'replyMapping'>;

export interface PrivateRedisOptions {
  /** The port to listen on; a free one by default. To come back on the port of a server that was stopped. */
  readonly port?: number;
  /** Also listen on a unix socket (`socketPath`). */
  readonly unix?: boolean;
  /** Listen with TLS, and a certificate made for it (`caPath`), instead of plain TCP. */
  readonly tls?: boolean;
  /** Users as redis.conf has them, such as `default off` or `watcher on >secret ~* +ping`. */
  readonly users?: readonly string[];
  /** More lines of redis.conf, such as `maxmemory 10mb`. */
  readonly config?: readonly string[];
}

export interface PrivateRedis {
  readonly host: '127.0.0.1';
  readonly port: number;
  /** `redis://127.0.0.1:PORT`, or `rediss://…` with TLS. */
  readonly url: string;
  readonly socketPath: string | undefined;
  /** The certificate authority to trust, with TLS. */
  readonly caPath: string | undefined;
  readonly pid: number;
  /** What the server has written to its log so far. */
  log(): string;
  /** A client of its own, straight to the server. Disconnected by `stop`. */
  client(options?: ClientOptions): Redis;
  /** `INFO commandstats` and the like, as field -> value. */
  info(section?: string): Promise<Record<string, string>>;
  /** Ends it by pid (SIGTERM, or the signal given) and removes its directory. Can be called twice. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

const ATTEMPTS = 10;

/** Starts redis-server and resolves when it says that it accepts connections. Rejects with its log when it does not. */
export async function startRedis(options: PrivateRedisOptions = {}): Promise<PrivateRedis> {
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort());
    const started = await start(port, options);
    if (typeof started !== 'string') return started;
    const taken = /Address already in use/.test(started);
    if (!taken || attempt >= ATTEMPTS) throw new Error(`redis-server did not start:\n${started}`);
    if (options.port !== undefined) await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A TCP port of 127.0.0.1 that nobody listened on a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** The running server, or its log where it ended instead. */
async function start(port: number, options: PrivateRedisOptions): Promise<PrivateRedis | string> {
  const directory = await mkdtemp(join(tmpdir(), 'gaptrace-redis-'));
  const certificate = options.tls ? await makeCertificate(directory) : undefined;
  const socketPath = options.unix ? join(directory, 'redis.sock') : undefined;
  const lines = [
    'bind 127.0.0.1',
    certificate === undefined ? `port ${port}` : `port 0\ntls-port ${port}\ntls-auth-clients no`,
    ...(certificate === undefined
      ? []
      : [
          `tls-cert-file ${certificate.certPath}`,
          `tls-key-file ${certificate.keyPath}`,
          `tls-ca-cert-file ${certificate.certPath}`,
        ]),
    ...(socketPath === undefined ? [] : [`unixsocket ${socketPath}`]),
    'save ""',
    'appendonly no',
    'daemonize no',
    `dir ${directory}`,
    ...(options.users ?? []).map((user) => `user ${user}`),
    ...(options.config ?? []),
  ];
  const configPath = join(directory, 'redis.conf');
  await writeFile(configPath, `${lines.join('\n')}\n`, { mode: 0o600 });

  const child = spawn('redis-server', [configPath], { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { text: '' };
  const exited = once(child, 'exit').catch((error: unknown) => {
    output.text += String(error); // redis-server is not installed
  });
  const ready = await new Promise<boolean>((resolve) => {
    const read = (chunk: Buffer): void => {
      output.text += chunk.toString();
      if (output.text.includes('eady to accept connections')) resolve(true);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    void exited.then(() => resolve(false));
  });
  if (!ready) {
    await rm(directory, { recursive: true, force: true });
    return output.text;
  }
  return running({ child, exited, port, directory, socketPath, caPath: certificate?.certPath, output });
}

interface Started {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown>;
  readonly port: number;
  readonly directory: string;
  readonly socketPath: string | undefined;
  readonly caPath: string | undefined;
  readonly output: { readonly text: string };
}

function running({ child, exited, port, directory, socketPath, caPath, output }: Started): PrivateRedis {
  const clients: Redis[] = [];
  const endWithUs = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', endWithUs);

  const client = (own: ClientOptions = {}): Redis => {
    const secure = caPath === undefined ? {} : { tls: { rejectUnauthorized: false } };
    const redis = new Redis({
      host: '127.0.0.1',
      port,
      retryStrategy: () => null,
      ...secure,
      ...own,
    });
    redis.on('error', () => {}); // each command rejects with it; without a listener ioredis also prints it
    clients.push(redis);
    return redis;
  };

  let asking: Redis | undefined;
  return {
    host: '127.0.0.1',
    port,
    url: `${caPath === undefined ? 'redis' : 'rediss'}://127.0.0.1:${port}`,
    socketPath,
    caPath,
    pid: child.pid ?? 0,
    log: () => output.text,
    client,
    async info(section = 'default') {
      asking ??= client();
      const fields: Record<string, string> = {};
      for (const line of (await asking.info(section)).split('\r\n')) {
        const colon = line.indexOf(':');
        if (colon > 0 && !line.startsWith('#')) fields[line.slice(0, colon)] = line.slice(colon + 1);
      }
      return fields;
    },
    async stop(signal = 'SIGTERM') {
      process.removeListener('exit', endWithUs);
      for (const each of clients) each.disconnect();
      child.kill(signal);
      if (signal === 'SIGTERM') {
        // A stopped (SIGSTOP) or stuck server does not hear SIGTERM.
        const impatience = setTimeout(endWithUs, 5_000);
        await exited;
        clearTimeout(impatience);
      }
      await exited;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A certificate for 127.0.0.1 and localhost that is its own authority, by openssl. */
export async function makeCertificate(directory: string): Promise<{ certPath: string; keyPath: string }> {
  const certPath = join(directory, 'cert.pem');
  const keyPath = join(directory, 'key.pem');
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'],
    ...['-keyout', keyPath, '-out', certPath],
  ]);
  return { certPath, keyPath };
}
