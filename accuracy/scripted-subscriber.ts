/** A process of channels_redis.pubsub with one consumer, played over a raw connection that can stop reading. */
import { randomUUID } from 'node:crypto';
import { decodeMessage } from '../server/layers/message.js';
import { idOf } from './consumer.js';
import type { Stage } from './stage.js';
import { channelOf } from './subscribers.js';
import type { Said, WireClient } from './wire-client.js';

export class ScriptedSubscriber {
  readonly channel = `chatspecific.${randomUUID().replaceAll('-', '')}`;
  #wire: WireClient | undefined;
  #reading: Promise<void> = Promise.resolve();
  #joined = false;

  constructor(
    readonly stage: Stage,
    readonly group: string,
  ) {}

  /** Opens a connection and subscribes there, in one command, to all that it holds. */
  async connect(): Promise<void> {
    const wire = await this.stage.connect();
    wire.send('SUBSCRIBE', this.channel, channelOf(this.group));
    for (let left = 2; left > 0; left--) await wire.read();
    if (!this.#joined) this.stage.truth.note({ event: 'joined', channel: this.channel, group: this.group });
    this.#joined = true;
    this.#wire = wire;
    this.#reading = this.#read(wire);
  }

  pause(): void {
    this.#wire?.pause();
  }

  /** Reads again, what is left, until Redis has closed the connection. */
  async readToTheEnd(): Promise<void> {
    this.#wire?.resume();
    await this.#reading;
  }

  /** Notes that this message will not come, and why. */
  blame(message: string, cause: string): void {
    this.stage.truth.note({ event: 'blamed', message, channel: this.channel, cause });
  }

  async #read(wire: WireClient): Promise<void> {
    for (;;) {
      const said = await wire.read().catch(() => null); // closed
      if (said === null) return;
      this.#got(said);
    }
  }

  #got(said: Said): void {
    const [, , payload] = said as readonly Said[];
    const decoded = decodeMessage(payload as Buffer);
    if (!decoded.ok) throw new Error(`a scenario published what is no message: ${decoded.reason}`);
    this.stage.truth.note({ event: 'processed', message: idOf(decoded.message), channel: this.channel });
  }
}
