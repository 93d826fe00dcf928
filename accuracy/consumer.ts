/**
 * Consumers and senders of a run, on a channel layer: what a Django Channels consumer does, and the truth log hears of each step.
 * A message says who sent it and its count, as the chat protocol has it, so that the trace shows which one it is.
 */
import type { ChannelLayer as FullLayer, Message } from '../server/layers/layer.js';
import { messageId, type TruthLog } from './truth.js';

/** What the real Python layer can do too. */
export type ChannelLayer = Omit<FullLayer, 'check'>;

export interface Company {
  readonly truth: TruthLog;
  readonly ending: boolean;
  atEnd(work: () => unknown): void;
  background(work: Promise<unknown>): void;
}

export interface ConsumerOptions {
  /** Asked for each message that it got: true, and it forgets it. */
  readonly drops?: (message: string) => boolean;
}

export class Consumer {
  readonly #leaving = new AbortController();
  readonly #reading: Promise<void>;

  /** Joins the group and begins to receive. */
  static async join(
    company: Company,
    layer: ChannelLayer,
    group: string,
    options: ConsumerOptions = {},
  ): Promise<Consumer> {
    const channel = await layer.newChannel();
    await layer.groupAdd(group, channel);
    company.truth.note({ event: 'joined', channel, group });
    return new Consumer(company, layer, group, channel, options);
  }

  private constructor(
    private readonly company: Company,
    private readonly layer: ChannelLayer,
    readonly group: string,
    readonly channel: string,
    private readonly options: ConsumerOptions,
  ) {
    this.#reading = this.#read();
    company.background(this.#reading);
    company.atEnd(() => this.#leaving.abort());
  }

  /** As when its WebSocket closes: it discards itself from its group, then its receive is cancelled. */
  async leave(): Promise<void> {
    const { truth } = this.company;
    const { channel, group } = this;
    truth.note({ event: 'leaving', channel, group });
    await this.layer.groupDiscard(group, channel);
    truth.note({ event: 'left', channel, group });
    await this.stop();
  }

  /** Ends without a word to its group: nobody reads its channel any more. */
  async stop(): Promise<void> {
    this.#leaving.abort();
    await this.#reading;
  }

  async #read(): Promise<void> {
    const { signal } = this.#leaving;
    try {
      while (!signal.aborted) this.#got(idOf(await this.layer.receive(this.channel, { signal })));
    } catch (error) {
      if (!signal.aborted && !this.company.ending) throw error;
    }
  }

  #got(message: string): void {
    const { channel } = this;
    if (this.options.drops?.(message))
      this.company.truth.note({ event: 'blamed', message, channel, cause: 'lost-after-redis' });
    else this.company.truth.note({ event: 'processed', message, channel });
  }
}

export class Sender {
  #count = -1;

  constructor(
    private readonly company: Pick<Company, 'truth'>,
    private readonly layer: Pick<ChannelLayer, 'groupSend' | 'send'>,
    readonly name: string,
    /** The channel of its own consumer, if it says so. */
    private readonly as?: string,
  ) {}

  /** Its next message, to a group. Resolves with its id, also where it was refused: the truth log knows. */
  say(group: string): Promise<string> {
    return this.#say(group, (message) => this.layer.groupSend(group, message));
  }

  /** Its next message, to one channel. */
  tell(channel: string): Promise<string> {
    return this.#say(channel, (message) => this.layer.send(channel, message));
  }

  /** Its next message, which the server gets from it and never sends. */
  forget(group: string): string {
    const { truth } = this.company;
    const message = this.#next();
    truth.note({ event: 'sending', message, to: group });
    truth.note({ event: 'sent', message });
    truth.note({ event: 'blamed', message, channel: null, cause: 'never-sent' });
    return message;
  }

  #next(): string {
    this.#count += 1;
    return messageId(this.name, this.#count);
  }

  async #say(to: string, send: (message: Message) => Promise<void>): Promise<string> {
    const { truth } = this.company;
    const message = this.#next();
    const as = this.as === undefined ? {} : { as: this.as };
    truth.note({ event: 'sending', message, to, ...as });
    try {
      await send({
        type: 'chat_send',
        text_data: JSON.stringify({ my_id: this.name, count: this.#count }),
        ...(this.as === undefined ? {} : { sender_channel_name: this.as }),
      });
      truth.note({ event: 'sent', message });
    } catch (error) {
      truth.note({ event: 'sent', message, error: String(error) });
    }
    return message;
  }
}

/** The id that a message carries. */
export function idOf(message: Message): string {
  const { my_id: sender, count } = JSON.parse(String(message.text_data)) as { my_id: string; count: number };
  return messageId(sender, count);
}
