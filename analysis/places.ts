/**
 * A queue is a key on one Redis. Several hosts may have the same key (a general channel is on all of them; a message put on the wrong
 * one makes two), and they are different queues: what is popped from one says nothing of the other. The first host that is seen
 * with a key keeps its plain name; the same key on another is `<key> on <trace>`.
 */
import type { Trace } from '../proxy/trace/trace.js';
import type { Step } from './profiles/channel-layer.js';
import { SeveralTraces } from './several-traces.js';

export class QueuePlaces {
  /** Null where there is one trace: each key is one queue. */
  readonly #traces: SeveralTraces | null;
  /** Per key, the name of its queue on each host. */
  readonly #names = new Map<string, Map<number, string>>();
  readonly #keys = new Map<string, string>();

  constructor(trace: Pick<Trace, 'operations'>) {
    this.#traces = trace instanceof SeveralTraces ? trace : null;
  }

  /** The step with its queues' keys made names. */
  placed(step: Step, connection: number): Step {
    if (!this.#traces) return step;
    const name = (key: string): string => this.nameOf(key, connection);
    switch (step.step) {
      case 'enqueue':
        return {
          ...step,
          deliveries: step.deliveries.map((delivery) => ({ ...delivery, queue: name(delivery.queue) })),
        };
      case 'poll':
        return {
          ...step,
          queues: step.queues.map(name),
          taken: step.taken && { ...step.taken, queue: name(step.taken.queue) },
        };
      case 'take':
      case 'restore':
      case 'backup':
      case 'acknowledge':
        return { ...step, queue: name(step.queue) };
      default:
        return step;
    }
  }

  /** The Redis key of a queue's name. */
  keyOf(name: string): string {
    return this.#keys.get(name) ?? name;
  }

  /** The Redis host of a connection; one is as good as another where there is one trace. */
  hostOf(connection: number): number {
    return this.#traces?.hostOf(connection) ?? 0;
  }

  nameOf(key: string, connection: number): string {
    const traces = this.#traces;
    if (!traces) return key;
    const host = traces.hostOf(connection);
    let names = this.#names.get(key);
    if (!names) {
      names = new Map();
      this.#names.set(key, names);
    }
    let name = names.get(host);
    if (name === undefined) {
      name = names.size === 0 ? key : `${key} on ${traces.nameAt(connection)}`;
      names.set(host, name);
      this.#keys.set(name, key);
    }
    return name;
  }
}
