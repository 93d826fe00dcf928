/**
 * The healthy traffic that every run has: two processes that receive reliably, two rooms, a sender in each, and a consumer that comes and
 * goes. A scenario puts its own process into the same rooms, so that one message is lost in one queue and delivered in another.
 */
import { type ChannelLayer, Consumer, type ConsumerOptions, Sender } from './consumer.js';
import type { Stage } from './stage.js';

export const ROOMS = ['room_a', 'room_b'] as const;

export interface TrafficOptions {
  /** Messages of each room's sender. */
  readonly messages?: number;
  readonly everyMs?: number;
  /** For the consumers that stay. */
  readonly consumers?: ConsumerOptions;
  /** Makes each of the two processes; where not told, one on the core layer that receives reliably. */
  readonly process?: () => ChannelLayer;
  /** Resolves when what the consumers asked for is done, where joining does not wait for that. */
  readonly joined?: () => Promise<void>;
}

export class Traffic {
  /** Resolves when all has been sent. */
  readonly sent: Promise<void>;
  readonly #drain: Sender;

  static async start(stage: Stage, options: TrafficOptions = {}): Promise<Traffic> {
    const process = options.process ?? (() => stage.layer({ receive: 'reliable' }));
    const layers = [process(), process()] as const;
    for (const layer of layers)
      for (const room of ROOMS) await Consumer.join(stage, layer, room, options.consumers);
    await options.joined?.();
    return new Traffic(stage, layers[0], options);
  }

  private constructor(
    private readonly stage: Stage,
    /** The layer of one of the processes: a scenario sends and joins with it. */
    readonly layer: ChannelLayer,
    { messages = 25, everyMs = 12 }: TrafficOptions,
  ) {
    this.#drain = new Sender(stage, layer, 'drain');
    const random = stage.random('traffic');
    const talking = Promise.all(
      ROOMS.map(async (room) => {
        const sender = new Sender(stage, layer, `${room}-sender`);
        for (let count = 0; count < messages; count++) {
          await sender.say(room);
          await stage.sleep(random() * 2 * everyMs);
        }
      }),
    );
    this.sent = Promise.all([talking, this.#comeAndGo(talking)]).then(() => {});
  }

  /**
   * Says something to both rooms until everybody there has heard it: a queue is in the order of sending, so all before it is done.
   * `except`: channels that nobody reads.
   */
  async drained(except: readonly string[] = []): Promise<void> {
    const { truth } = this.stage;
    const said = new Set<string>();
    const heard = () => {
      const waiting = new Set(truth.present().filter((channel) => !except.includes(channel)));
      for (const event of truth.events)
        if (event.event === 'processed' && said.has(event.message)) waiting.delete(event.channel);
      return waiting.size === 0;
    };
    for (let attempt = 0; attempt < 30; attempt++) {
      for (const room of ROOMS) said.add(await this.#drain.say(room));
      if (await truth.comesTrue(heard, 300)) return;
    }
    throw new Error('somebody in the rooms never hears anything: the scenario has stopped receiving');
  }

  /** A consumer of each room that stays for a moment, leaves, and comes again. */
  async #comeAndGo(talking: Promise<unknown>): Promise<void> {
    const random = this.stage.random('comes and goes');
    let over = false;
    void talking.finally(() => {
      over = true;
    });
    for (let turn = 0; !over; turn++) {
      const consumer = await Consumer.join(this.stage, this.layer, ROOMS[turn % 2] as string);
      await this.stage.sleep(10 + random() * 60);
      await consumer.leave();
    }
  }
}
