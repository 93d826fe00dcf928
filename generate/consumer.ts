/**
 * One client in one room: joins, tells the others, speaks at its pace, and may leave and tell the others again; then the receive that
 * it may be doing for its process is cancelled. One thing after the other, as server/consumer.ts and Django's consumer do.
 */

import { removeFromGroup } from '../server/layers/commands.js';
import type { ChatProcess, Occupant } from './chat-process.js';
import { integer, memberBulk, OK, request, senderPart } from './frames.js';
import { groupSendPieces, transactionPieces, transactionReply } from './group-send.js';
import type { Message } from './message.js';
import type { Mishap } from './receiver.js';
import type { Member, Parcel, Roll, Room } from './room.js';
import { Task } from './task.js';
import { between, CAPACITY, EXPIRY_S, hex, secondsText, type World, wholeSeconds } from './world.js';

type Step = 'join' | 'expire' | 'trim' | 'members' | 'trim queues' | 'send' | 'leave';
type Saying = 'connect' | 'count' | 'disconnect';

export class Consumer extends Task implements Member, Occupant {
  readonly process: ChatProcess;
  readonly channel: string;
  /** When it left its group. */
  leftUs = Number.POSITIVE_INFINITY;
  /** When its client goes. */
  goesUs: number;
  /** What happens when it is cancelled. */
  mishap: Mishap | null = null;
  readonly #room: Room;
  readonly #id: string;
  readonly #part: Buffer;
  readonly #onGone: (nowUs: number) => void;
  #step: Step = 'join';
  #saying: Saying = 'connect';
  #count = 0;
  #dueUs = 0;
  #roll: Roll | null = null;
  #reply: Buffer = OK;

  /** `onGone`: called when all that its leaving does is done. */
  constructor(
    world: World,
    { process, room, goesUs }: { process: ChatProcess; room: Room; goesUs: number },
    onGone: (nowUs: number) => void,
  ) {
    super(world, process.loop);
    this.process = process;
    const digits = hex(world.random, 64);
    this.channel = `${process.name}${digits.slice(0, 32)}`;
    this.#id = digits.slice(32).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    this.#part = senderPart(this.channel);
    this.#room = room;
    this.#onGone = onGone;
    this.goesUs = goesUs;
    process.consumers.push(this);
  }

  /** It is one of those that come and go, and is there. */
  get mayGo(): boolean {
    return (
      this.#saying === 'count' && Number.isFinite(this.goesUs) && this.goesUs > this.world.schedule.nowUs
    );
  }

  protected override mayAsk(nowUs: number): boolean {
    if (this.world.ending && (this.#step === 'join' || this.#idle)) return false;
    if (!this.#idle) return true;
    if (nowUs >= this.goesUs) this.#step = 'leave';
    return true;
  }

  protected send(nowUs: number): boolean {
    const { wire } = this.world;
    const room = this.#room;
    const second = wholeSeconds(nowUs);
    switch (this.#step) {
      case 'join':
        room.join(this);
        wire.request(this.connection, nowUs, request('ZADD', room.key, secondsText(nowUs), this.channel));
        this.#reply = integer(1);
        break;
      case 'expire':
        wire.request(this.connection, nowUs, room.frames.expire);
        this.#reply = integer(1);
        break;
      case 'trim':
        wire.request(this.connection, nowUs, room.trim.at(second));
        this.#reply = integer(0);
        break;
      case 'members':
        wire.request(this.connection, nowUs, room.frames.members);
        this.#roll = room.roll;
        this.#reply = room.roll.reply;
        break;
      case 'trim queues':
        this.#trimQueues(nowUs, second);
        break;
      case 'send':
        this.#send(nowUs);
        break;
      case 'leave': {
        room.leave(this);
        this.leftUs = nowUs;
        const [name, ...words] = removeFromGroup(room.key, this.channel);
        wire.request(this.connection, nowUs, request(name, ...words.map(String)));
        this.#reply = integer(1);
        break;
      }
    }
    return true;
  }

  protected answer(nowUs: number): void {
    this.world.wire.reply(this.connection, nowUs, this.#reply);
  }

  protected next(nowUs: number): void {
    switch (this.#step) {
      case 'join':
        this.#step = 'expire';
        break;
      case 'expire':
        this.#step = 'trim';
        break;
      case 'trim':
        this.#step = 'members';
        break;
      case 'members':
        this.#step = this.#parcels.length > 0 ? 'trim queues' : 'trim';
        if (this.#parcels.length === 0) {
          this.#said(nowUs);
          return;
        }
        break;
      case 'trim queues':
        this.#step = 'send';
        break;
      case 'send':
        this.#step = 'trim';
        this.#said(nowUs);
        return;
      case 'leave':
        this.#step = 'trim';
        this.#saying = 'disconnect';
        break;
    }
    this.askSoon(nowUs);
  }

  /** It has said what it had to say. */
  get #idle(): boolean {
    return this.#step === 'trim' && this.#saying === 'count';
  }

  get #parcels(): readonly Parcel[] {
    return this.#roll?.parcels ?? [];
  }

  #said(nowUs: number): void {
    const { everyUs } = this.#room;
    if (this.#saying === 'disconnect') {
      this.process.left(this, nowUs);
      this.#onGone(nowUs);
      return;
    }
    if (this.#saying === 'connect') {
      this.#saying = 'count';
      this.#dueUs = nowUs + between(this.world, 1000, everyUs);
    } else {
      this.#count++;
      this.#dueUs =
        Math.max(this.#dueUs, nowUs - everyUs) + between(this.world, 0.9 * everyUs, 1.1 * everyUs);
    }
    const dueUs = Math.floor(Math.min(this.#dueUs, this.goesUs));
    this.askAt(Math.max(dueUs, nowUs + this.thinkUs()));
  }

  #trimQueues(nowUs: number, second: number): void {
    const { wire, ledger } = this.world;
    const removed = this.#parcels.map(({ process }) => {
      const old = process.mailbox.queue.trim(second - EXPIRY_S);
      for (const message of old)
        ledger.gone(message, process.mailbox.key, 'expired', 'message-expired', nowUs);
      return old.length;
    });
    wire.requestOf(
      this.connection,
      nowUs,
      transactionPieces(this.#parcels.map(({ process }) => process.mailbox.trim.at(second))),
      removed.length + 2,
    );
    this.#reply = transactionReply(removed);
  }

  #send(nowUs: number): void {
    const { wire, ledger, random, onSend } = this.world;
    const seconds = secondsText(nowUs);
    const score = Buffer.from(`$${seconds.length}\r\n${seconds}\r\n`, 'latin1');
    const counted = this.#saying === 'count';
    const said = counted
      ? `{"my_id": "${this.#id}", "count": ${this.#count}}`
      : `{"${this.#saying}": "${this.channel}"}`;
    const messages: Message[] = this.#parcels.map(({ recipients, names }) => ({
      member: memberBulk(random, said, this.#part, names),
      score,
      sentS: Number(seconds),
      sender: counted ? this.#id : null,
      count: counted ? this.#count : null,
      room: this.#room.name,
      recipients,
      polledUs: 0,
      pops: 0,
    }));
    wire.requestOf(this.connection, nowUs, groupSendPieces(this.#parcels, messages, score));
    let full = 0;
    for (const [i, message] of messages.entries()) {
      const { process } = this.#parcels[i] as Parcel;
      if (process.mailbox.queue.length >= CAPACITY) {
        full++;
        ledger.gone(message, process.mailbox.key, 'rejected', 'over-capacity', nowUs);
        onSend.wasFull(process.mailbox.key, nowUs);
      } else process.mailbox.queue.add(message, nowUs);
    }
    this.#reply = integer(full);
    onSend.sent(messages.length, this.world);
  }
}
