/**
 * Who lives where: processes, rooms with members in several of them, and clients that come and go. The load of a process is the same whatever
 * their number: about a quarter of what it could receive.
 */
import { ChatProcess } from './chat-process.js';
import { Consumer } from './consumer.js';
import type { Mishaps } from './mishaps.js';
import { Room } from './room.js';
import type { Due } from './schedule.js';
import { between, type World } from './world.js';

const PROCESSES_OF_A_ROOM = 4;
const MEMBERS_OF_A_ROOM = 8;
/** Of each process, and for how long they stay and are away. */
const COMERS_AND_GOERS = 2;
const STAY_US = [1_000_000, 4_000_000] as const;
const AWAY_US = [100_000, 500_000] as const;
/** Messages for a process a second. */
const LOAD = 250;
/** No client says more than ten a second. */
const FASTEST_US = 100_000;
/** In the quiet room. */
const SELDOM_US = 200_000;
/** So many processes and more have a quiet one among them. */
const ENOUGH_FOR_A_QUIET_ONE = 3;
/** Between two that join at the beginning. */
const JOINING_US = 700;

export class Town {
  readonly processes: readonly ChatProcess[];
  readonly #world: World;
  readonly #rooms: readonly Room[];

  constructor(world: World, mishaps: Mishaps, size: { readonly processes: number; readonly rooms: number }) {
    this.#world = world;
    this.processes = Array.from({ length: size.processes }, () => new ChatProcess(world));
    const quiet = size.processes >= ENOUGH_FOR_A_QUIET_ONE ? (this.processes.at(-1) as ChatProcess) : null;
    const busy = quiet ? this.processes.slice(0, -1) : this.processes;
    const spread = Math.min(PROCESSES_OF_A_ROOM, busy.length);
    const everyUs = Math.max(
      FASTEST_US,
      Math.round((size.rooms * MEMBERS_OF_A_ROOM * spread * 1e6) / (LOAD * busy.length)),
    );
    this.#rooms = Array.from({ length: size.rooms }, (_, i) => {
      const places = someOf(busy, spread, i % busy.length, world);
      return new Room(`room_${i + 1}`, places, everyUs);
    });
    mishaps.begin({ busy, quiet, quietSender: quiet && (busy[0] as ChatProcess) });
    this.#settle(busy, quiet);
  }

  /** Is all said, received and settled? */
  get quiet(): boolean {
    return this.processes.every(({ quiet }) => quiet);
  }

  #settle(busy: readonly ChatProcess[], quiet: ChatProcess | null): void {
    const { schedule } = this.#world;
    let joined = 0;
    const soon = (): number => ++joined * JOINING_US;
    const arrive = (process: ChatProcess, room: Room): void => {
      const consumer = new Consumer(
        this.#world,
        { process, room, goesUs: Number.POSITIVE_INFINITY },
        () => {},
      );
      schedule.at(soon(), consumer);
    };
    for (const room of this.#rooms)
      for (let i = 0; i < MEMBERS_OF_A_ROOM; i++)
        arrive(room.processes[i % room.processes.length] as ChatProcess, room);
    // Somebody is always there to receive.
    for (const [i, process] of busy.entries())
      if (process.consumers.length === 0) arrive(process, this.#rooms[i % this.#rooms.length] as Room);
    if (quiet) {
      const [other] = busy;
      const room = new Room('room_quiet', [quiet, other as ChatProcess], SELDOM_US);
      for (const process of [quiet, other, other]) arrive(process as ChatProcess, room);
    }
    for (const process of this.processes) process.receiver.start(between(this.#world, 1, JOINING_US));
    for (const process of busy)
      for (let i = 0; i < COMERS_AND_GOERS; i++)
        schedule.at(soon(), new Seat(this.#world, process, this.#rooms));
  }
}

/** `howMany` of them, one of them given. */
function someOf(
  all: readonly ChatProcess[],
  howMany: number,
  first: number,
  { random }: World,
): readonly ChatProcess[] {
  const chosen = new Set([all[first] as ChatProcess]);
  while (chosen.size < howMany) chosen.add(all[Math.floor(random() * all.length)] as ChatProcess);
  return [...chosen];
}

/** A place that one client after another takes. */
class Seat implements Due {
  constructor(
    private readonly world: World,
    private readonly process: ChatProcess,
    private readonly rooms: readonly Room[],
  ) {}

  run(nowUs: number): void {
    const { world, process, rooms } = this;
    if (world.ending) return;
    const room = rooms[Math.floor(world.random() * rooms.length)] as Room;
    const goesUs = nowUs + between(world, ...STAY_US);
    const consumer = new Consumer(world, { process, room, goesUs }, (goneUs) =>
      world.schedule.at(goneUs + between(world, ...AWAY_US), this),
    );
    world.schedule.at(nowUs, consumer);
  }
}
