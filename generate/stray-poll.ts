/** A poll that goes on though nobody waits for it any more: what it takes is lost, and its connection goes back to the others. */
import type { EventLoop } from './event-loop.js';
import { NIL_ARRAY } from './frames.js';
import type { Mailbox } from './mailbox.js';
import type { Message } from './message.js';
import type { Poll } from './queue.js';
import type { Due } from './schedule.js';
import { between, type World } from './world.js';

export class StrayPoll implements Due, Poll {
  #message: Message | null = null;

  constructor(
    private readonly world: World,
    private readonly loop: EventLoop,
    private readonly mailbox: Mailbox,
    private readonly connection: number,
    readonly polledUs: number,
  ) {}

  take(message: Message, nowUs: number): void {
    this.#message = message;
    this.world.schedule.at(nowUs + between(this.world, 60, 220), this);
  }

  timeOut(nowUs: number): void {
    this.mailbox.queue.giveUp(this);
    this.world.schedule.at(nowUs + between(this.world, 60, 220), this);
  }

  run(nowUs: number): void {
    const { wire } = this.world;
    if (this.#message === null) wire.reply(this.connection, nowUs, NIL_ARRAY);
    else {
      wire.replyOf(this.connection, nowUs, this.mailbox.popped(this.#message));
      this.mailbox.lost(this.#message, 'stray-pop', nowUs);
    }
    this.loop.free.push(this.connection);
  }
}
