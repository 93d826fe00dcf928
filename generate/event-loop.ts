/** What a process has one of: connections to Redis that nobody uses just now, and an event loop that may be busy with something else. */
import type { Due } from './schedule.js';
import { between, type World } from './world.js';

/** After a pause. */
const CATCHING_UP_US = 150_000;

export class EventLoop {
  /** Connections, the last used last. */
  readonly free: number[] = [];
  readonly #world: World;
  /** What it would do, were it not busy. Null: it is not. */
  #held: Due[] | null = null;

  constructor(world: World) {
    this.#world = world;
  }

  get paused(): boolean {
    return this.#held !== null;
  }

  /** Nothing of the process goes on until `resume`. */
  pause(): void {
    this.#held ??= [];
  }

  /** `first` goes on at once, the others not all together: what waits is received before all have said what they had to say. */
  resume(nowUs: number, first: Due): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const task of held) {
      const withinUs = task === first ? 1 : CATCHING_UP_US;
      this.#world.schedule.at(between(this.#world, nowUs + 1, nowUs + 1 + withinUs), task);
    }
  }

  /** For a task whose turn it is during a pause. */
  hold(task: Due): void {
    this.#held?.push(task);
  }
}
