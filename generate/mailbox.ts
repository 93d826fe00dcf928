/** What a process has in Redis: its queue, and how the layer speaks of it. And what was popped from it and lost, until that is settled. */
import { backupOf } from '../server/layers/commands.js';
import { RESTORE } from '../server/layers/scripts.js';
import { bulk, request, SecondsFrame } from './frames.js';
import type { Ledger } from './ledger.js';
import type { Message } from './message.js';
import { Queue } from './queue.js';
import { EXPIRY_S } from './world.js';

interface Lost {
  readonly message: Message;
  readonly cause: string;
  readonly poppedUs: number;
}

export class Mailbox {
  readonly queue = new Queue();
  readonly frames;
  /** Drops what is too old. */
  readonly trim: SecondsFrame;
  #lost: Lost[] = [];

  constructor(readonly key: string) {
    const backup = backupOf(key);
    this.trim = new SecondsFrame((second) =>
      request('ZREMRANGEBYSCORE', key, '0', String(second - EXPIRY_S)),
    );
    this.frames = {
      key: bulk(key),
      restore: request('EVAL', RESTORE, '0', key, backup),
      poll: request('BZPOPMIN', key, '5'),
      popped: Buffer.concat([Buffer.from('*3\r\n'), bulk(key)]),
      backUp: Buffer.concat([Buffer.from('*4\r\n'), bulk('ZADD'), bulk(backup)]),
      acknowledge: request('ZPOPMIN', backup),
    };
  }

  /** The reply to a poll that took this message. */
  popped({ member, score }: Message): Buffer[] {
    return [this.frames.popped, member, score];
  }

  /** Popped, and nobody reads it. `poppedUs`: when Redis' reply passed. */
  lost(message: Message, cause: string, poppedUs: number): void {
    this.#lost.push({ message, cause, poppedUs });
  }

  /** Its process goes on to receive: those who are not there now never missed what was lost before. */
  receives(nowUs: number, ledger: Ledger): void {
    if (this.#lost.length === 0) return;
    for (const { message, cause, poppedUs } of this.#lost)
      if (poppedUs < nowUs) ledger.lost(message, this.key, cause, nowUs);
    this.#lost = this.#lost.filter(({ poppedUs }) => poppedUs >= nowUs);
  }

  /** Nothing in it, and nothing that is not settled. */
  get empty(): boolean {
    return this.#lost.length === 0 && this.queue.length === 0;
  }
}
