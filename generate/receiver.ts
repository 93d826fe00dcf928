/**
 * Receives for a process as channels_redis does: restore, poll, back up, acknowledge. What goes wrong when the consumer that does it is
 * cancelled is done here, as it looks on the wire.
 */
import type { EventLoop } from './event-loop.js';
import { integer, NIL, NIL_ARRAY } from './frames.js';
import type { Mailbox } from './mailbox.js';
import type { Message } from './message.js';
import type { Poll } from './queue.js';
import { StrayPoll } from './stray-poll.js';
import { Phase, Task } from './task.js';
import { Timeouts } from './timeouts.js';
import { between, type World } from './world.js';

const PAIR = Buffer.from('*2\r\n');

/** What happens to the next message, or the next poll, whose receiver is cancelled. */
export type Mishap = 'popped-then-disconnected' | 'stray-pop' | 'redelivered-late';

type Step = 'restore' | 'poll' | 'back up' | 'acknowledge';
type Cut = 'after the reply' | 'before the reply' | 'before the answer to the backup' | 'its answer comes';

export class Receiver extends Task implements Poll {
  /** When its poll was sent. */
  polledUs = 0;
  mishap: Mishap | null = null;
  /** One is under way. */
  awaitsMishap = false;
  readonly #mailbox: Mailbox;
  #step: Step = 'restore';
  #message: Message | null = null;
  #cut: Cut | null = null;

  constructor(world: World, loop: EventLoop, mailbox: Mailbox) {
    super(world, loop);
    this.#mailbox = mailbox;
  }

  /** Does its poll wait in Redis? */
  get waits(): boolean {
    return this.#step === 'poll' && this.#mailbox.queue.waiting.includes(this);
  }

  start(nowUs: number): void {
    this.askAt(nowUs);
    new Timeouts(this.world, this.#mailbox.queue).run(nowUs);
  }

  override run(nowUs: number): void {
    if (this.phase === Phase.other) this.#cutOff(nowUs);
    else super.run(nowUs);
  }

  /** A consumer was cancelled; with this probability it was the one that receives. */
  cancelled(nowUs: number, probability: number): void {
    const { world } = this;
    if (this.mishap !== null || !this.waits || world.random() >= probability) return;
    this.#mailbox.queue.giveUp(this);
    world.wire.close(this.connection, nowUs);
    this.#step = 'restore';
    this.askSoon(nowUs);
  }

  /** Its poll's time is over. */
  timeOut(nowUs: number): void {
    this.#mailbox.queue.giveUp(this);
    this.answerSoon(nowUs);
  }

  take(message: Message, nowUs: number): void {
    this.#message = message;
    if (this.mishap === 'popped-then-disconnected' && this.world.random() < 0.5) {
      this.#cutAt('before the reply', nowUs);
      this.#mishapped();
    } else this.answerSoon(nowUs);
  }

  protected send(nowUs: number): boolean {
    const { world, connection } = this;
    const { frames, queue } = this.#mailbox;
    switch (this.#step) {
      case 'restore':
        this.#mailbox.receives(nowUs, world.ledger);
        world.wire.request(connection, nowUs, frames.restore);
        queue.restore(nowUs);
        return true;
      case 'poll':
        this.#mailbox.receives(nowUs, world.ledger);
        world.wire.request(connection, nowUs, frames.poll);
        this.polledUs = nowUs;
        if (this.mishap === 'stray-pop' && queue.length === 0) this.#leavePoll(nowUs);
        else queue.poll(this, nowUs);
        return false;
      case 'back up': {
        const { score, member } = this.#message as Message;
        world.wire.requestOf(connection, nowUs, [frames.backUp, score, member]);
        queue.backup.push(this.#message as Message);
        if (this.mishap !== 'redelivered-late') return true;
        this.#cutAt('before the answer to the backup', nowUs);
        this.#mishapped();
        return false;
      }
      case 'acknowledge':
        world.wire.request(connection, nowUs, frames.acknowledge);
        this.#message = queue.backup.shift() ?? null;
        return true;
    }
  }

  protected answer(nowUs: number): void {
    const { world, connection } = this;
    switch (this.#step) {
      case 'restore':
        world.wire.reply(connection, nowUs, NIL);
        break;
      case 'poll':
        if (this.#message === null) world.wire.reply(connection, nowUs, NIL_ARRAY);
        else world.wire.replyOf(connection, nowUs, this.#mailbox.popped(this.#message));
        break;
      case 'back up':
        world.wire.reply(connection, nowUs, integer(1));
        break;
      case 'acknowledge': {
        const { member, score } = this.#message as Message;
        world.wire.replyOf(connection, nowUs, [PAIR, member, score]);
        break;
      }
    }
  }

  protected next(nowUs: number): void {
    switch (this.#step) {
      case 'restore':
        this.#step = 'poll';
        break;
      case 'poll':
        if (this.#message !== null && this.mishap === 'popped-then-disconnected') {
          this.#mishapped();
          this.loop.free.pop();
          this.#lost(nowUs);
          this.#cut = 'after the reply';
          this.phase = Phase.other;
          this.world.schedule.at(nowUs + between(this.world, 10, 60), this);
          return;
        }
        this.#step = this.#message === null ? 'restore' : 'back up';
        break;
      case 'back up':
        this.#step = 'acknowledge';
        break;
      case 'acknowledge':
        this.world.ledger.received(this.#message as Message, this.#mailbox.key, nowUs);
        this.#message = null;
        this.#step = 'restore';
        break;
    }
    this.askSoon(nowUs);
  }

  /** Who polls is cancelled, and the poll goes on in its place. */
  #leavePoll(nowUs: number): void {
    this.#mishapped();
    const stray = new StrayPoll(this.world, this.loop, this.#mailbox, this.connection, nowUs);
    this.#mailbox.queue.poll(stray, nowUs);
    this.#step = 'restore';
    this.askAt(nowUs + between(this.world, 200, 1500));
  }

  #cutAt(cut: Cut, nowUs: number): void {
    this.#cut = cut;
    this.phase = Phase.other;
    this.world.schedule.at(nowUs + between(this.world, 20, 50), this);
  }

  /** The client closes its connection, here and there. */
  #cutOff(nowUs: number): void {
    const { world, connection } = this;
    switch (this.#cut) {
      case 'after the reply':
        world.wire.close(connection, nowUs);
        break;
      case 'before the reply':
      case 'before the answer to the backup':
        world.wire.close(connection, nowUs, true);
        this.#cut = 'its answer comes';
        world.schedule.at(nowUs + this.onTheWayUs(), this);
        return;
      case 'its answer comes': {
        const popped = this.#step === 'poll';
        const pieces = popped ? this.#mailbox.popped(this.#message as Message) : [integer(1)];
        world.wire.replyToNobody(connection, nowUs, pieces);
        world.wire.end(connection, nowUs);
        if (popped) this.#lost(nowUs);
        break;
      }
    }
    this.#cut = null;
    this.#message = null;
    this.#step = 'restore';
    this.askSoon(nowUs);
  }

  #mishapped(): void {
    this.mishap = null;
    this.awaitsMishap = false;
  }

  #lost(nowUs: number): void {
    this.#mailbox.lost(this.#message as Message, 'popped-then-disconnected', nowUs);
  }
}
