/** `gaptrace server`: flags into a channel layer and a chat server, one process or several, and their orderly end. */
import cluster from 'node:cluster';
import { type Command, Option } from 'commander';
import { GaptraceError } from '../terminal/errors.js';
import { createLog, type Log } from '../terminal/log.js';
import { wholeNumber } from '../terminal/number.js';
import { argument, report } from '../terminal/program.js';
import { parseSize } from '../terminal/size.js';
import { ChatServer } from './chat.js';
import { createLayer } from './layers/create.js';
import type { LayerConfig, LayerNotice, ReceiveStrategy } from './layers/layer.js';
import { portFromPrimary, runProcesses, toldToStop } from './processes.js';
import { SeldomLog } from './seldom.js';

interface ServerFlags {
  readonly host: string;
  readonly port: number;
  readonly processes: number;
  readonly layer: LayerConfig['layer'];
  readonly redis: readonly string[];
  readonly receive?: ReceiveStrategy;
  readonly prefix: string;
  readonly capacity: number;
  /** Seconds. */
  readonly expiry: number;
  readonly groupExpiry: number;
  readonly maxClients: number;
  /** Bytes. */
  readonly maxMessage: number;
  readonly maxBuffered: number;
  /** Seconds. */
  readonly pingEvery: number;
}

export function registerServer(program: Command): void {
  program
    .command('server')
    .summary('the chat server under observation: WebSocket rooms on a channel layer')
    .description(
      'Serves chat rooms at ws://HOST:PORT/ws/chat/<room>/, as the Django server of server/django does;\n' +
        'processes of both kinds on one Redis share their rooms. GET /healthz says whether Redis answers.\n' +
        'Prints the address it listens on as the only line on standard output.',
    )
    .option('--host <address>', 'where to listen', '127.0.0.1')
    .option('--port <number>', 'the port; 0 picks a free one', argument(wholeNumber(0, 65_535)), 8000)
    .option(
      '--processes <number>',
      'processes on the one port, each with a layer of its own',
      argument(wholeNumber(1, 64)),
      1,
    )
    .addOption(
      new Option('--layer <name>', 'what carries messages between consumers')
        .choices(['redis', 'pubsub', 'memory'])
        .default('redis'),
    )
    .addOption(
      new Option(
        '--redis <url...>',
        'where Redis, or gaptrace proxy, is; several are shared by name; give a password by the environment',
      )
        .env('REDIS_URL')
        .default(['redis://127.0.0.1:6379'], 'redis://127.0.0.1:6379'),
    )
    .addOption(
      new Option(
        '--receive <strategy>',
        'how the redis layer receives: as channels_redis does, with its loss, or cured of it (default: "channels-redis")',
      ).choices(['channels-redis', 'reliable']),
    )
    .addOption(
      new Option('--prefix <text>', 'what keys in Redis begin with').env('LAYER_PREFIX').default('gaptrace'),
    )
    .addOption(
      new Option('--capacity <messages>', 'messages that a channel holds before it is full')
        .env('LAYER_CAPACITY')
        .argParser(argument(wholeNumber(1)))
        .default(1000),
    )
    .addOption(
      new Option('--expiry <seconds>', 'how long a message waits at most')
        .env('LAYER_EXPIRY')
        .argParser(argument(wholeNumber(1)))
        .default(60),
    )
    .addOption(
      new Option('--group-expiry <seconds>', 'how long a client is a member of its room at most')
        .env('LAYER_GROUP_EXPIRY')
        .argParser(argument(wholeNumber(1)))
        .default(86_400),
    )
    .option(
      '--max-clients <number>',
      'clients of each process; one more is refused with HTTP 503',
      argument(wholeNumber(1)),
      10_000,
    )
    .addOption(sizeOption('--max-message <size>', 'one message of a client; beyond it 1009', '1MB'))
    .addOption(
      sizeOption(
        '--max-buffered <size>',
        'what may wait for a client that does not read; beyond it 1013',
        '1MB',
      ),
    )
    .option(
      '--ping-every <seconds>',
      'between two pings; who has not answered by the next is cut off',
      argument(wholeNumber(1, 86_400)),
      20,
    )
    .addHelpText(
      'after',
      `
While Redis cannot be reached or refuses to write, clients are told so by close
1013 and the server tries again by itself. The first SIGINT or SIGTERM sends all
clients away (1001) and tells their rooms; a second one ends at once. Exit status:
0; 2 when it cannot start.

Environment: GAPTRACE_LOG_LEVEL (default: info), GAPTRACE_LOG_FORMAT=json.

Examples:
  gaptrace server --redis redis://127.0.0.1:6380
  gaptrace server --receive reliable --processes 2
  gaptrace server --layer memory --port 0`,
    )
    .action(runServer);
}

async function runServer(flags: ServerFlags): Promise<void> {
  const config = layerConfig(flags);
  if (flags.processes === 1) return serve(flags, config, createLog(), firstSignal());
  if (cluster.isPrimary) {
    // Options that make no sense are said once, not by each process.
    await createLayer(config).close();
    return runProcesses({
      processes: flags.processes,
      port: flags.port,
      log: createLog(),
      signalled: firstSignal(),
    });
  }
  const log = numbered(createLog(), process.pid);
  try {
    await serve({ ...flags, port: portFromPrimary() ?? flags.port }, config, log, toldToStop());
  } catch (error) {
    // Now, not when nothing is left to do: the primary's channel is always there.
    process.exit(report(error));
  }
}

async function serve(
  flags: ServerFlags,
  config: LayerConfig,
  log: Log,
  signalled: Promise<string>,
): Promise<void> {
  const seldom = new SeldomLog(log);
  let server: ChatServer | undefined;
  const onNotice = ({ event, level, message }: LayerNotice): void => {
    seldom.say(level, event, message);
    // Its consumers wait and hear nothing of it.
    if (event === 'redis-lost') server?.suspectLayer();
  };
  server = await ChatServer.open({
    layer: createLayer({ ...config, onNotice }),
    log,
    host: flags.host,
    port: flags.port,
    messageLimit: flags.maxMessage,
    bufferLimit: flags.maxBuffered,
    clientLimit: flags.maxClients,
    pingEveryMs: flags.pingEvery * 1000,
  });
  if (!cluster.isWorker) process.stdout.write(`listening on ${server.address}\n`);
  const signal = await signalled;
  log.info(`${signal}: sending ${server.clients} clients away; once more to end at once`);
  await server.stop();
  // Not by waiting for what may still be open, such as a command to a Redis that hangs.
  process.exit(0);
}

function layerConfig(flags: ServerFlags): LayerConfig {
  const { capacity, expiry, groupExpiry, prefix, receive } = flags;
  const common = { capacity, expiry, groupExpiry, prefix };
  if (receive !== undefined && flags.layer !== 'redis')
    throw new GaptraceError(
      'GAPTRACE_USAGE',
      `--receive is of the redis layer: --layer ${flags.layer} has no choice`,
    );
  if (flags.layer === 'memory') {
    if (flags.processes > 1)
      throw new GaptraceError(
        'GAPTRACE_USAGE',
        `--layer memory is within one process: ${flags.processes} of them could not hear each other; take redis or pubsub`,
      );
    return { layer: 'memory', ...common };
  }
  // From the environment it is one text.
  const hosts = [flags.redis].flat();
  if (flags.layer === 'pubsub') return { layer: 'pubsub', hosts, ...common };
  return { layer: 'redis', hosts, ...common, ...(receive === undefined ? {} : { receive }) };
}

/** Resolves at the first signal; from then on a further one ends the process. */
function firstSignal(): Promise<string> {
  const status = { SIGINT: 130, SIGTERM: 143 } as const;
  let seen = false;
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.on(signal, () => {
        if (seen) process.exit(status[signal]);
        seen = true;
        resolve(signal);
      });
  });
}

/** The log of one process among several. */
function numbered(log: Log, pid: number): Log {
  const say =
    (level: keyof Log): Log[keyof Log] =>
    (message: unknown) =>
      log[level](`process ${pid}: ${String(message)}`);
  return { info: say('info'), warn: say('warn'), error: say('error') };
}

function sizeOption(flags: string, description: string, preset: string): Option {
  const atLeast = (text: string): number => {
    const bytes = parseSize(text);
    if (bytes < 1024) throw new RangeError('at least 1KB');
    return bytes;
  };
  return new Option(flags, description).argParser(argument(atLeast)).default(parseSize(preset), preset);
}
