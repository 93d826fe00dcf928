/**
 * How much chat one server process carries: clients that stay, in rooms of ten, each saying something once a second, beside a Redis of its
 * own. Who stays must miss nothing. By default 1,000 clients for 30 s: 9,000 deliveries a second.
 *
 *     node dist/bench/chat-capacity.js [--clients 1000] [--room-size 10] [--rate 1] [--seconds 30] [-- flags of gaptrace server]
 *
 * The clients run in this process and cost about as much as the server: on a machine of two cores they share them with it and with Redis.
 * Exit status 1 when a message was lost or a client was sent away.
 */
import { once } from 'node:events';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { WebSocket } from 'ws';
import { ServerProcess } from './server-process.js';

const CLI = fileURLToPath(new URL('../cli.js', import.meta.url));
/** Nothing came for so long: what is missing is lost, in ms. */
const QUIET_MS = 5_000;
/** Clients that join at a time. */
const JOINING = 50;

interface Plan {
  readonly clients: number;
  readonly roomSize: number;
  /** Messages a second of each client. */
  readonly rate: number;
  readonly seconds: number;
}

/** What was said and heard. A client hears each message of the others in its room once, in order. */
class Ledger {
  sent = 0;
  heard = 0;
  expected = 0;
  wrong = 0;
  sentAway = 0;
  heardAtMs = performance.now();
  readonly latenciesMs: number[] = [];
  /** The last count heard, by receiver and sender. */
  readonly #last = new Map<number, number>();

  hear(receiver: number, text: string, plan: Plan): void {
    if (!text.startsWith('{"my_id"')) return; // connect and disconnect
    const { my_id, count, at } = JSON.parse(text) as { my_id: number; count: number; at: number };
    const pair = receiver * plan.clients + my_id;
    if (count !== (this.#last.get(pair) ?? -1) + 1) this.wrong++;
    this.#last.set(pair, count);
    this.heard++;
    this.heardAtMs = performance.now();
    this.latenciesMs.push(this.heardAtMs - at);
  }
}

async function joinAll(url: string, plan: Plan, ledger: Ledger): Promise<WebSocket[]> {
  const sockets: WebSocket[] = [];
  const join = async (client: number): Promise<void> => {
    const socket = new WebSocket(`${url}/ws/chat/room_${Math.floor(client / plan.roomSize)}/`, {
      perMessageDeflate: false,
    });
    socket.on('message', (data) => ledger.hear(client, String(data), plan));
    socket.on('error', () => {});
    socket.on('close', (code) => {
      if (code !== 1000) ledger.sentAway++;
    });
    await once(socket, 'open');
    sockets[client] = socket;
  };
  for (let first = 0; first < plan.clients; first += JOINING)
    await Promise.all(
      Array.from({ length: Math.min(JOINING, plan.clients - first) }, (_, n) => join(first + n)),
    );
  return sockets;
}

/** Each client on its own moments of the grid, so that the load is even. */
async function talk(sockets: readonly WebSocket[], plan: Plan, ledger: Ledger): Promise<void> {
  const total = Math.round(plan.clients * plan.rate * plan.seconds);
  const fromMs = performance.now();
  const others = (client: number): number => {
    const first = client - (client % plan.roomSize);
    return Math.min(plan.roomSize, plan.clients - first) - 1;
  };
  while (ledger.sent < total) {
    const due = Math.min(total, ((performance.now() - fromMs) / 1000) * plan.clients * plan.rate);
    for (; ledger.sent < due; ledger.sent++) {
      // Neighbours in turn are in different rooms.
      const turn = ledger.sent % plan.clients;
      const rooms = Math.ceil(plan.clients / plan.roomSize);
      const client = Math.min(plan.clients - 1, (turn % rooms) * plan.roomSize + Math.floor(turn / rooms));
      const count = Math.floor(ledger.sent / plan.clients);
      sockets[client]?.send(JSON.stringify({ my_id: client, count, at: performance.now() }));
      ledger.expected += others(client);
    }
    await sleep(2);
  }
  while (ledger.heard < ledger.expected && performance.now() - ledger.heardAtMs < QUIET_MS) await sleep(50);
}

async function measure(plan: Plan, flags: readonly string[]): Promise<boolean> {
  const redis = await ServerProcess.start({
    name: 'redis-server',
    command: 'redis-server',
    args: (port) => ['--bind', '127.0.0.1', '--port', `${port}`, '--save', '', '--appendonly', 'no'],
  });
  const server = await ServerProcess.start({
    name: 'gaptrace server',
    command: process.execPath,
    args: (port) => [
      CLI,
      'server',
      '--port',
      `${port}`,
      '--redis',
      `redis://127.0.0.1:${redis.port}`,
      ...flags,
    ],
  });
  const ledger = new Ledger();
  const loadBefore = loadavg()[0] ?? 0;
  const sockets = await joinAll(`ws://127.0.0.1:${server.port}`, plan, ledger);
  await sleep(2_000); // the notices of all who came
  const before = [server.cost(), redis.cost()].map((cost) => cost.cpuSeconds);
  const fromMs = performance.now();
  await talk(sockets, plan, ledger);
  const seconds = (performance.now() - fromMs) / 1000;
  const after = [server.cost(), redis.cost()].map((cost) => cost.cpuSeconds);
  const cores = after.map((cpu, n) => ((cpu - (before[n] ?? 0)) / seconds).toFixed(2));
  const { sentAway } = ledger;
  for (const socket of sockets) socket.terminate();
  const { peakRssBytes } = server.cost();
  await server.stop();
  await redis.stop();

  const sorted = ledger.latenciesMs.sort((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(0);
  const lost = ledger.expected - ledger.heard;
  process.stdout.write(
    `${plan.clients} clients in rooms of ${plan.roomSize}, ${plan.rate} a second each, ${plan.seconds} s, ${flags.join(' ') || 'as it comes'}; load before ${loadBefore.toFixed(1)}\n` +
      `  said ${ledger.sent}, heard ${ledger.heard} (${Math.round(ledger.heard / seconds)} a second), lost ${lost}, out of order ${ledger.wrong}, sent away ${sentAway}\n` +
      `  after ${at(0.5)} ms half, ${at(0.99)} ms 99 %, ${at(1)} ms all; cores: server ${cores[0]}, Redis ${cores[1]}; server's memory at most ${Math.round(peakRssBytes / 2 ** 20)} MB\n`,
  );
  return lost === 0 && ledger.wrong === 0 && sentAway === 0;
}

const { values, positionals } = parseArgs({
  options: {
    clients: { type: 'string', default: '1000' },
    'room-size': { type: 'string', default: '10' },
    rate: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '30' },
  },
  allowPositionals: true,
});
const whole = await measure(
  {
    clients: Number(values.clients),
    roomSize: Number(values['room-size']),
    rate: Number(values.rate),
    seconds: Number(values.seconds),
  },
  positionals,
);
process.exit(whole ? 0 : 1);
