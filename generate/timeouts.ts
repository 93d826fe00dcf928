/** Polls wait for so long and no longer. Redis looks ten times a second whose time is over. */
import type { Queue } from './queue.js';
import type { Due } from './schedule.js';
import type { World } from './world.js';

const POLL_TIMEOUT_US = 5_000_000;
const EVERY_US = 100_000;

export class Timeouts implements Due {
  constructor(
    private readonly world: World,
    private readonly queue: Queue,
  ) {}

  run(nowUs: number): void {
    for (const poll of [...this.queue.waiting])
      if (poll.polledUs + POLL_TIMEOUT_US <= nowUs) poll.timeOut(nowUs);
    this.world.schedule.at(nowUs + EVERY_US, this);
  }
}
