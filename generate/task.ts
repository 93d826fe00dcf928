/**
 * Somebody in a process who says one thing after another to Redis: takes a connection from the pool or opens one, sends a request, gives the
 * connection back when the reply is there, thinks, and goes on. As redis-py does, each command on a connection of its own choice.
 */
import type { EventLoop } from './event-loop.js';
import type { Due } from './schedule.js';
import { between, type World } from './world.js';

export const Phase = { ask: 0, welcome: 1, send: 2, reply: 3, other: 4 } as const;
export type Phase = (typeof Phase)[keyof typeof Phase];

export abstract class Task implements Due {
  protected phase: Phase = Phase.ask;
  /** The connection in use. */
  protected connection = 0;

  constructor(
    protected readonly world: World,
    protected readonly loop: EventLoop,
  ) {}

  run(nowUs: number): void {
    switch (this.phase) {
      case Phase.ask:
        this.#take(nowUs);
        break;
      case Phase.welcome:
        this.world.wire.welcome(this.connection, nowUs);
        this.phase = Phase.send;
        this.world.schedule.at(nowUs + this.thinkUs(), this);
        break;
      case Phase.send:
        this.#send(nowUs);
        break;
      case Phase.reply:
        this.phase = Phase.ask;
        this.answer(nowUs);
        this.loop.free.push(this.connection);
        this.next(nowUs);
        break;
    }
  }

  /** Sends the request; what it does in Redis is done at once. True: the reply is on its way. */
  protected abstract send(nowUs: number): boolean;
  /** Writes the reply. */
  protected abstract answer(nowUs: number): void;
  /** The reply was read. Calls `askAt`, unless there is nothing more to say. */
  protected abstract next(nowUs: number): void;
  /** Called before a connection is taken. False: not now; it has said what happens instead. */
  protected mayAsk(_nowUs: number): boolean {
    return true;
  }

  protected askAt(us: number): void {
    this.phase = Phase.ask;
    this.world.schedule.at(us, this);
  }

  protected askSoon(nowUs: number): void {
    this.askAt(nowUs + this.thinkUs());
  }

  protected answerSoon(nowUs: number): void {
    this.phase = Phase.reply;
    this.world.schedule.at(nowUs + this.onTheWayUs(), this);
  }

  /** Between a reply and the next request. */
  protected thinkUs(): number {
    return between(this.world, 25, 120);
  }

  /** Between a request and its reply. */
  protected onTheWayUs(): number {
    return between(this.world, 60, 220);
  }

  #take(nowUs: number): void {
    const { loop, world } = this;
    if (loop.paused) loop.hold(this);
    else if (this.mayAsk(nowUs)) {
      const free = loop.free.pop();
      if (free !== undefined) {
        this.connection = free;
        this.#send(nowUs);
        return;
      }
      this.connection = world.wire.open(nowUs);
      this.phase = Phase.welcome;
      world.schedule.at(nowUs + this.onTheWayUs(), this);
    }
  }

  #send(nowUs: number): void {
    if (this.send(nowUs)) this.answerSoon(nowUs);
  }
}
