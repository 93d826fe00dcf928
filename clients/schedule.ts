/**
 * Who comes when: the plan of a swarm, made of its options and a seed alone. Pure, so the same seed gives the same joins,
 * leaves, lifetimes and moments of sending, however the server behaves. (Sender ids are new in each run: two
 * runs in one trace must not be mistaken for each other.)
 *
 * Clients that stay join first, spread over a quarter of a second or more where they are many. Then come the churners: each is a
 * place in a room that is taken by one short-lived client after another. A client's lifetime is drawn evenly from half to one
 * and a half of what was asked for, and the next one joins at the moment at which it leaves: around that moment messages are lost.
 */
import { randomStream } from './random.js';

export interface Room {
  readonly room: string;
  /** Clients that stay. */
  readonly clients: number;
}

export interface Plan {
  readonly rooms: readonly Room[];
  /** Churners in each room. */
  readonly churn: number;
  /** Microseconds. */
  readonly lifetimeUs: number;
  /** Messages a second of each client. */
  readonly rate: number;
  readonly seed: number;
}

/** One client's time in a room. Milliseconds since the start of the swarm. */
export interface Life {
  readonly client: string;
  readonly room: string;
  readonly joinMs: number;
  /** Infinity: it stays. */
  readonly leaveMs: number;
  /** The first moment of the grid on which it sends. */
  readonly sendFromMs: number;
}

const SHORTEST_SPREAD_MS = 250;
const SPREAD_PER_CLIENT_MS = 2;

/** The clients that stay. */
export function stayingLives(plan: Plan): Life[] {
  const spreadMs = spreadOf(plan);
  return plan.rooms.flatMap(({ room, clients }) =>
    Array.from({ length: clients }, (_, i) => {
      const client = `${room}-${i}`;
      const random = randomStream(plan.seed, client);
      return lifeFrom(
        plan,
        { client, room, joinMs: random() * spreadMs, leaveMs: Number.POSITIVE_INFINITY },
        random,
      );
    }),
  );
}

/** The churners: for each, its short-lived clients one after another, without end. */
export function churners(plan: Plan): Generator<Life, never>[] {
  return plan.rooms.flatMap(({ room }) =>
    Array.from({ length: plan.churn }, (_, i) => churner(plan, room, `${room}-churn${i}`)),
  );
}

function* churner(plan: Plan, room: string, name: string): Generator<Life, never> {
  const random = randomStream(plan.seed, name);
  const lifetimeMs = plan.lifetimeUs / 1000;
  let joinMs = spreadOf(plan) + random() * lifetimeMs;
  for (let n = 1; ; n++) {
    const leaveMs = joinMs + lifetimeMs * (0.5 + random());
    yield lifeFrom(plan, { client: `${name}.${n}`, room, joinMs, leaveMs }, random);
    joinMs = leaveMs;
  }
}

function lifeFrom(plan: Plan, life: Omit<Life, 'sendFromMs'>, random: () => number): Life {
  return { ...life, sendFromMs: life.joinMs + (plan.rate > 0 ? random() * (1000 / plan.rate) : 0) };
}

function spreadOf({ rooms }: Plan): number {
  const clients = rooms.reduce((sum, room) => sum + room.clients, 0);
  return Math.max(SHORTEST_SPREAD_MS, clients * SPREAD_PER_CLIENT_MS);
}
