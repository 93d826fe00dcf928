/**
 * Is the layer there? Whoever meets trouble with it says so here; then it is looked at until it answers, each time a little later. What
 * the operator reads is one line when it is gone and one when it is back, whatever number of clients met the trouble.
 */
import { GaptraceError, messageOf } from '../terminal/errors.js';
import { backOff, pause } from './layers/backoff.js';
import type { ChannelLayer } from './layers/layer.js';

/** A layer that does not answer within this is not there, in ms. */
const ANSWER_WITHIN_MS = 2_000;
const PROBE_GROUP = 'gaptrace_probe';

export interface LayerHealthEvents {
  /** It was there and is not any more. */
  down(error: unknown): void;
  /** It was gone and answers again. */
  up(): void;
  /** There was trouble but it answers: maybe another Redis, that knows nothing, at the same address. */
  shaken(): void;
}

export class LayerHealth {
  readonly #closing = new AbortController();
  #why: unknown;
  #looking: Promise<void> | undefined;
  #refused = false;
  #probeChannel: string | undefined;

  constructor(
    private readonly layer: ChannelLayer,
    private readonly events: LayerHealthEvents,
  ) {}

  /** Why it cannot be used now; undefined when it can. */
  get trouble(): string | undefined {
    return this.#why === undefined ? undefined : messageOf(this.#why);
  }

  /** Something failed, or (without an error) nobody knows yet: resolves after the first look. */
  async suspect(error?: unknown): Promise<void> {
    if (error instanceof GaptraceError && error.code === 'GAPTRACE_LAYER_REDIS_REFUSED') this.#refused = true;
    if (this.#closing.signal.aborted || this.#looking !== undefined) return;
    let looked = (): void => {};
    const first = new Promise<void>((resolve) => {
      looked = resolve;
    });
    this.#looking = this.#look(looked, error !== undefined).finally(() => {
      this.#looking = undefined;
    });
    await first;
  }

  /** Looks once: rejects when it does not answer, or not in time. */
  async check(): Promise<void> {
    const late = new AbortController();
    const tooLate = pause(ANSWER_WITHIN_MS, late.signal).then(() => {
      if (late.signal.aborted) return;
      throw new GaptraceError(
        'GAPTRACE_LAYER_REDIS_DOWN',
        `the channel layer has not answered for ${ANSWER_WITHIN_MS / 1000} s`,
        { exitStatus: 1 },
      );
    });
    await Promise.race([this.#probe(), tooLate]).finally(() => late.abort());
  }

  close(): void {
    this.#closing.abort();
  }

  async #look(looked: () => void, shaken: boolean): Promise<void> {
    const { signal } = this.#closing;
    for (let failures = 0; !signal.aborted; ) {
      try {
        await this.check();
        const wasDown = this.#why !== undefined;
        this.#why = undefined;
        this.#refused = false;
        looked();
        if (wasDown) this.events.up();
        else if (shaken) this.events.shaken();
        return;
      } catch (error) {
        failures++;
        // A connection that was cut says nothing of Redis: the next one does.
        if (failures === 1 && this.#why === undefined && isDown(error)) continue;
        const first = this.#why === undefined;
        this.#why = error;
        looked();
        if (first && !signal.aborted) this.events.down(error);
        await backOff(failures, signal);
      }
    }
    looked();
  }

  /** A PING is answered by a Redis too that refuses to write: where it did, it is asked to. */
  async #probe(): Promise<void> {
    await this.layer.check();
    if (!this.#refused) return;
    this.#probeChannel ??= await this.layer.newChannel('probe');
    await this.layer.groupAdd(PROBE_GROUP, this.#probeChannel);
    await this.layer.groupDiscard(PROBE_GROUP, this.#probeChannel);
  }
}

function isDown(error: unknown): boolean {
  return error instanceof GaptraceError && error.code === 'GAPTRACE_LAYER_REDIS_DOWN';
}
