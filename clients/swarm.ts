/**
 * The recipe that makes a chat server lose messages, in one call: clients that stay in their rooms and watch for gaps, and
 * churners, each a place that one client after another takes: it connects, sends for a moment and leaves. With the defaults they are
 * the seven clients of the bug report (django/channels#1683): two and three that stay, and one that comes and goes in each room.
 *
 * The plan is schedule.ts's, the account tally.ts's; here are the clients and the clock. What churners receive is not
 * judged. At the end the churners leave, everybody falls silent, and the staying clients
 * listen until all is heard, or nothing more has come for as long as a message may be late.
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type GaptraceError, messageOf } from '../terminal/errors.js';
import { ChatClient, type Closed, lostConnection, roomUrl } from './chat-client.js';
import type { GapReport } from './gap-report.js';
import { GapWatch, steadyNowMs } from './gap-watch.js';
import { churners, type Life, type Plan, type Room, stayingLives } from './schedule.js';
import { type Counts, type RoomCounts, Tally, total } from './tally.js';

export interface SwarmOptions extends Partial<Plan> {
  /** Where the server is, such as `ws://127.0.0.1:8000`. */
  readonly url: string;
  /** How long a count may be late before it is missing, in microseconds. */
  readonly patienceUs?: number;
  /** How long to go on, in microseconds; without it, until something else ends it. */
  readonly forUs?: number;
  /** End at the first gap. */
  readonly untilGap?: boolean;
  /** Ends it, with a summary. */
  readonly signal?: AbortSignal;
  /** Everything that happens, as it happens: the lines of a client log. */
  readonly onEvent?: (event: SwarmEvent) => void;
  /** About twenty times a second. */
  readonly onProgress?: (progress: SwarmProgress) => void;
  /** How long the server may take to answer. */
  readonly answerWithinMs?: number;
}

/** What a line of the client log says; `t` is seconds since the start. */
export type SwarmEvent = { readonly t: number } & (
  | {
      readonly event: 'swarm';
      readonly started_at: string;
      readonly rooms: readonly Room[];
      readonly churn: number;
      readonly lifetime_us: number;
      readonly rate: number;
      readonly seed: number;
    }
  | { readonly event: 'start'; readonly client: string; readonly id: string; readonly room: string }
  | ({ readonly event: 'send' | 'recv' } & Counted)
  | ({ readonly event: 'gap' } & GapReport)
  | { readonly event: 'stop'; readonly client: string; readonly room: string }
  /** A client could not join, or the server closed its connection, or sent something that is no chat message. */
  | { readonly event: 'error'; readonly client: string; readonly room: string; readonly error: string }
);

interface Counted {
  readonly client: string;
  readonly room: string;
  readonly sender: string;
  readonly count: number;
}

export interface SwarmProgress {
  readonly elapsedUs: number;
  /** Clients that are connected. */
  readonly clients: number;
  readonly sent: number;
  readonly received: number;
  /** Gaps reported so far. */
  readonly gaps: number;
}

export interface SwarmSummary {
  readonly url: string;
  readonly plan: Plan;
  readonly startedAt: string;
  readonly durationUs: number;
  /** Why it ended: time was up, a gap was found, it was told to, or a staying client lost its connection. */
  readonly ended: 'time' | 'gap' | 'stopped' | 'failed';
  readonly failure: GaptraceError | undefined;
  /** Clients that have joined, and among them those that came only to go. */
  readonly clients: number;
  readonly churned: number;
  /** Clients that could not join or were thrown out, and messages that were none: `error` events. */
  readonly errors: number;
  readonly total: Counts;
  readonly rooms: readonly RoomCounts[];
  readonly gaps: readonly GapReport[];
}

export const SWARM_DEFAULTS = {
  rooms: [
    { room: 'room_a', clients: 2 },
    { room: 'room_b', clients: 3 },
  ] as readonly Room[],
  churn: 1,
  lifetimeUs: 1_000_000,
  rate: 10,
  patienceUs: 1_000_000,
} as const;

/** Rejects with a GaptraceError where a staying client cannot join. */
export async function runSwarm(options: SwarmOptions): Promise<SwarmSummary> {
  return new Swarm(options).run();
}

const TICK_MS = 50;
/** Waiting for the rest ends when nothing has come for so long (or for `patience`, if that is longer) … */
const QUIET_MS = 1_000;
/** … and anyway after so long. */
const LONGEST_DRAIN_MS = 60_000;

type End =
  | { readonly ended: 'time' | 'gap' | 'stopped' }
  | { readonly ended: 'failed'; readonly failure: GaptraceError };

class Swarm {
  readonly #options: SwarmOptions;
  readonly #plan: Plan;
  readonly #patienceMs: number;
  readonly #tally: Tally;
  readonly #startedAt = new Date().toISOString();
  readonly #startMs = performance.now();
  /** Clients that are connecting or connected, and those that are connected. */
  readonly #clients = new Set<ChatClient>();
  readonly #present = new Set<ChatClient>();
  readonly #watches: GapWatch[] = [];
  /** Aborted when no one is to come or to send any more. */
  readonly #over = new AbortController();
  #end: (end: End) => void = () => {};
  #joined = 0;
  #churned = 0;
  #sent = 0;
  #received = 0;
  #gaps = 0;
  #errors = 0;
  /** When a message last came that was still to come. */
  #progressAtMs = 0;

  constructor(options: SwarmOptions) {
    this.#options = options;
    const { rooms, churn, lifetimeUs, rate, seed, patienceUs } = { ...SWARM_DEFAULTS, ...options };
    this.#plan = { rooms, churn, lifetimeUs, rate, seed: seed ?? Math.floor(Math.random() * 2 ** 32) };
    this.#patienceMs = patienceUs / 1000;
    setMaxListeners(0, this.#over.signal); // every client waits for it
    this.#tally = new Tally(rooms.map(({ room }) => room));
    roomUrl(options.url, ''); // what is wrong with it is said before anybody joins
  }

  async run(): Promise<SwarmSummary> {
    const { forUs, signal } = this.#options;
    const end = new Promise<End>((resolve) => {
      this.#end = resolve;
    });
    const stop = (): void => this.#end({ ended: 'stopped' });
    signal?.addEventListener('abort', stop);
    if (signal?.aborted === true) stop();
    const { lifetimeUs, ...plan } = this.#plan;
    this.#tell({ event: 'swarm', started_at: this.#startedAt, lifetime_us: lifetimeUs, ...plan });
    // After what has come meanwhile is read: after a stall of our own, what is late may lie in the sockets.
    const ticking = setInterval(() => setImmediate(() => this.#tick()), TICK_MS);
    const timer =
      forUs === undefined ? undefined : setTimeout(() => this.#end({ ended: 'time' }), forUs / 1000);
    const staying = this.#stay(stayingLives(this.#plan));
    const churning = churners(this.#plan).map((lives) => this.#churn(lives));
    try {
      const how = await Promise.race([end, staying.then(() => end)]);
      await this.#wind(churning, how);
      return this.#summary(how);
    } finally {
      clearTimeout(timer);
      clearInterval(ticking);
      signal?.removeEventListener('abort', stop);
      this.#over.abort();
      await Promise.all([...this.#clients].map((client) => client.leave()));
      await Promise.allSettled([staying, ...churning]);
    }
  }

  /** Everybody falls silent, the churners leave, and what is on its way arrives. */
  async #wind(churning: readonly Promise<void>[], { ended }: End): Promise<void> {
    this.#over.abort();
    for (const client of this.#clients)
      if (this.#present.has(client)) client.fallSilent();
      else void client.leave();
    await Promise.all(churning);
    if (ended === 'failed') return;
    const beganMs = steadyNowMs();
    const quietMs = Math.max(QUIET_MS, this.#patienceMs);
    const isQuiet = (): boolean => steadyNowMs() - Math.max(beganMs, this.#progressAtMs) >= quietMs;
    while (this.#tally.outstanding > 0 && !isQuiet() && steadyNowMs() - beganMs < LONGEST_DRAIN_MS)
      await sleep(TICK_MS);
    this.#settle();
  }

  /** Resolves when all have joined; rejects when one cannot. */
  async #stay(lives: readonly Life[]): Promise<void> {
    await Promise.all(
      lives.map(async (life) => {
        const client = this.#client(life);
        const watch = new GapWatch({ client: life.client, room: life.room, patienceMs: this.#patienceMs });
        this.#watches.push(watch);
        client.on('closed', (closed) => this.#lost(client, closed));
        if (!(await this.#until(life.joinMs))) return;
        await this.#enter(client, () => this.#watch(client, watch));
      }),
    );
  }

  /** One client after another, each at its planned time, whether the one before is gone or not. */
  async #churn(lives: Iterable<Life>): Promise<void> {
    const living = new Set<Promise<void>>();
    for (const life of lives) {
      if (!(await this.#until(life.joinMs))) break;
      const ended = this.#live(life).finally(() => living.delete(ended));
      living.add(ended);
    }
    await Promise.all(living);
  }

  async #live(life: Life): Promise<void> {
    const client = this.#client(life);
    let gone = false;
    client.on('closed', (closed) => {
      gone = true;
      if (!closed.asked) this.#fail(client, lostConnection(client, closed));
    });
    try {
      await this.#enter(client, () => this.#churned++);
    } catch (error) {
      this.#fail(client, error);
      return;
    }
    await this.#until(life.leaveMs);
    if (!gone) await client.leave();
  }

  #client({ client: name, room, sendFromMs }: Life): ChatClient {
    const { url, answerWithinMs } = this.#options;
    const client = new ChatClient({
      ...{ url, room, name, rate: this.#plan.rate, sendFromMs: this.#startMs + sendFromMs },
      ...(answerWithinMs === undefined ? {} : { answerWithinMs }),
    });
    client.on('sent', (count) => {
      this.#sent++;
      this.#tally.sent(room, client.id, count);
      this.#tell({ event: 'send', client: name, room, sender: client.id, count });
    });
    client.on('closed', () => {
      this.#clients.delete(client);
      this.#present.delete(client);
      this.#tell({ event: 'stop', client: name, room });
    });
    return client;
  }

  /** Joins, unless it is over meanwhile. `first` is done before anything can be sent or received. */
  async #enter(client: ChatClient, first: () => void): Promise<void> {
    this.#clients.add(client);
    client.once('joined', () => {
      this.#present.add(client);
      this.#joined++;
      this.#tell({ event: 'start', client: client.name, id: client.id, room: client.room });
      first();
    });
    try {
      await client.join();
    } catch (error) {
      this.#clients.delete(client);
      if (!this.#over.signal.aborted) throw error;
    }
  }

  /** A staying client's messages go into the account. */
  #watch(client: ChatClient, watch: GapWatch): void {
    const { name, room } = client;
    const member = this.#tally.joined(room, client.id, watch);
    client.on('message', (message) => {
      if (message.kind === 'unknown') this.#fail(client, message.problem);
      if (message.kind !== 'counted') return;
      const { sender, count } = message;
      const nowMs = steadyNowMs();
      this.#received++;
      this.#tell({ event: 'recv', client: name, room, sender, count });
      if (this.#tally.received(member, sender, count, nowMs)) this.#progressAtMs = nowMs;
    });
  }

  #lost(client: ChatClient, closed: Closed): void {
    if (closed.asked) return;
    const failure = lostConnection(client, closed);
    this.#fail(client, failure);
    this.#end({ ended: 'failed', failure });
  }

  #fail({ name: client, room }: ChatClient, error: unknown): void {
    this.#errors++;
    this.#tell({ event: 'error', client, room, error: messageOf(error) });
  }

  #tick(): void {
    this.#settle();
    this.#options.onProgress?.({
      elapsedUs: Math.round((performance.now() - this.#startMs) * 1000),
      clients: this.#present.size,
      ...{ sent: this.#sent, received: this.#received, gaps: this.#gaps },
    });
  }

  #settle(): void {
    const nowMs = steadyNowMs();
    for (const gap of this.#watches.flatMap((watch) => watch.settle(nowMs))) {
      this.#gaps++;
      this.#tell({ event: 'gap', ...gap });
      if (this.#options.untilGap === true) this.#end({ ended: 'gap' });
    }
  }

  #tell(event: Told): void {
    const t = Math.round((performance.now() - this.#startMs) * 1000) / 1_000_000;
    this.#options.onEvent?.({ ...event, t });
  }

  /** Waits for a planned moment. False: it is over before that. */
  async #until(ms: number): Promise<boolean> {
    const { signal } = this.#over;
    const waitMs = this.#startMs + ms - performance.now();
    await sleep(Math.max(0, waitMs), undefined, { signal }).catch(() => {});
    return !signal.aborted;
  }

  #summary(how: End): SwarmSummary {
    const nowMs = steadyNowMs();
    const rooms = this.#tally.rooms(nowMs);
    return {
      url: this.#options.url,
      plan: this.#plan,
      startedAt: this.#startedAt,
      durationUs: Math.round((performance.now() - this.#startMs) * 1000),
      ended: how.ended,
      failure: how.ended === 'failed' ? how.failure : undefined,
      clients: this.#joined,
      churned: this.#churned,
      errors: this.#errors,
      total: total(rooms),
      rooms,
      gaps: this.#tally.gaps(nowMs),
    };
  }
}

/** A SwarmEvent before it has its time. */
type Told = SwarmEvent extends infer Event ? (Event extends SwarmEvent ? Omit<Event, 't'> : never) : never;
