/** A process of the application, and the consumers in it. */
import { EventLoop } from './event-loop.js';
import { Mailbox } from './mailbox.js';
import { type Mishap, Receiver } from './receiver.js';
import { hex, PREFIX, type World } from './world.js';

/** A consumer, as far as its process knows it. */
export interface Occupant {
  /** Is it there, and one of those that come and go? */
  readonly mayGo: boolean;
  /** When its client goes. */
  goesUs: number;
  /** What happens when it is cancelled then; null: nothing. */
  mishap: Mishap | null;
}

export class ChatProcess {
  /** `specific.<hex>!` */
  readonly name: string;
  readonly loop: EventLoop;
  readonly mailbox: Mailbox;
  readonly receiver: Receiver;
  readonly consumers: Occupant[] = [];

  constructor(world: World) {
    this.name = `specific.${hex(world.random, 32)}!`;
    this.loop = new EventLoop(world);
    this.mailbox = new Mailbox(PREFIX + this.name);
    this.receiver = new Receiver(world, this.loop, this.mailbox);
  }

  /** Somebody is gone; perhaps it was the one that receives. */
  left(consumer: Occupant, nowUs: number): void {
    const { length } = this.consumers;
    this.consumers.splice(this.consumers.indexOf(consumer), 1);
    if (consumer.mishap === null) this.receiver.cancelled(nowUs, 1 / length);
    else this.receiver.mishap = consumer.mishap;
  }

  /** Has it nothing to do, and nothing that is not settled? */
  get quiet(): boolean {
    return this.mailbox.empty && this.receiver.waits;
  }
}
