/**
 * Makes messages go astray, one way after the other, at the rate that was asked for: a consumer leaves and is cancelled in the wrong moment, or a
 * process is busy for so long that its queue is full, or what is in it too old.
 */
import type { ChatProcess } from './chat-process.js';
import type { Mishap } from './receiver.js';
import type { Due } from './schedule.js';
import { between, CAPACITY, EXPIRY_S, type OnSend, type World } from './world.js';

const CANCELLED: readonly Mishap[] = ['popped-then-disconnected', 'stray-pop', 'redelivered-late'];
const WAYS = CANCELLED.length + 2;

/** Longer than messages live, and shorter than what would be a receiver that has stopped: BZPOPMIN waits for 5 s. */
const BUSY_US = EXPIRY_S * 1_000_000 + 1_500_000;

/** Where mishaps can happen. */
export interface Places {
  readonly busy: readonly ChatProcess[];
  /** Its queue gets so few messages that it is not full before they are too old. Null: there is none. */
  readonly quiet: ChatProcess | null;
  /** From which they come: were it paused too, the queue itself would expire. */
  readonly quietSender: ChatProcess | null;
}

export class Mishaps implements OnSend {
  readonly #rate: number;
  #places: Places = { busy: [], quiet: null, quietSender: null };
  #sent = 0;
  #turn = 0;
  readonly #pauses = new Map<string, Pause>();

  /** `rate`: of the messages in queues, from 0 to 1. */
  constructor(rate: number) {
    this.#rate = rate;
  }

  begin(places: Places): void {
    this.#places = places;
  }

  /** So many messages were sent to a queue each. */
  sent(messages: number, world: World): void {
    this.#sent += messages;
    if (world.ending) return;
    const { busy } = this.#places;
    const underWay = busy.reduce(
      (sum, { receiver }) => sum + Number(receiver.awaitsMishap),
      this.#pauses.size,
    );
    if (world.ledger.mishaps + underWay + 1 > this.#sent * this.#rate) return;
    const way = this.#turn++ % WAYS;
    const mishap = CANCELLED[way];
    if (mishap) this.#cancelSomebody(world, mishap);
    else if (way === CANCELLED.length) this.#fill(world);
    else this.#outlast(world);
  }

  /** A message found the queue of this process full. */
  wasFull(key: string, nowUs: number): void {
    this.#pauses.get(key)?.refuse(nowUs);
  }

  /** All pauses are over. */
  end(nowUs: number): void {
    for (const pause of this.#pauses.values()) pause.run(nowUs);
  }

  #cancelSomebody(world: World, mishap: Mishap): void {
    const process = this.#anyFree(world);
    const leaver = process?.consumers.find(({ mayGo }) => mayGo);
    if (!process || !leaver) return;
    process.receiver.awaitsMishap = true;
    leaver.mishap = mishap;
    leaver.goesUs = world.schedule.nowUs;
  }

  /** A process is busy, and the others fill its queue; some messages find it full. */
  #fill(world: World): void {
    const { busy, quiet, quietSender } = this.#places;
    if (busy.length < 2 || busy.some(({ loop }) => loop.paused)) return;
    const process = this.#anyFree(world);
    if (process && !(process === quietSender && quiet?.loop.paused))
      this.#pause(world, process, between(world, 1, 5));
  }

  /** A process is busy for longer than messages live. */
  #outlast(world: World): void {
    const { quiet, quietSender } = this.#places;
    if (quiet && !quiet.loop.paused && !quietSender?.loop.paused) this.#pause(world, quiet, CAPACITY);
  }

  #pause(world: World, process: ChatProcess, refusals: number): void {
    const pause = new Pause(process, refusals, () => this.#pauses.delete(process.mailbox.key));
    this.#pauses.set(process.mailbox.key, pause);
    process.loop.pause();
    world.schedule.at(world.schedule.nowUs + BUSY_US, pause);
  }

  /** A process to which nothing happens just now. */
  #anyFree({ random }: World): ChatProcess | undefined {
    const { busy } = this.#places;
    const process = busy[Math.floor(random() * busy.length)];
    return process && !process.receiver.awaitsMishap && !process.loop.paused ? process : undefined;
  }
}

/** Is over when its time is, or when so many messages were refused. */
class Pause implements Due {
  #over = false;

  constructor(
    private readonly process: ChatProcess,
    private refusals: number,
    private readonly onOver: () => void,
  ) {}

  refuse(nowUs: number): void {
    this.refusals--;
    if (this.refusals <= 0) this.run(nowUs);
  }

  run(nowUs: number): void {
    if (this.#over) return;
    this.#over = true;
    this.onOver();
    this.process.loop.resume(nowUs, this.process.receiver);
  }
}
