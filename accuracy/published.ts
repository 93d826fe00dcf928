/**
 * What the analysis says of a published message for one consumer. On pub/sub no message names its recipients, and a verdict speaks of a
 * subscriber's connection, or of all of them: so a consumer is known by the connections on which its channel was ever subscribed. These are
 * taken from the whole trace, also where a hole hides them: they are what really was.
 */
import type { Evidence } from '../analysis/evidence.js';
import type { Finding } from '../analysis/finding.js';
import { type JudgedPublication, PubSubJudge } from '../analysis/pubsub/judge.js';
import type { Trace } from '../proxy/trace/trace.js';
import type { Answer } from './answer.js';

/** By channel of a consumer. */
export type Connections = ReadonlyMap<string, ReadonlySet<number>>;

export function connectionsOf(trace: Trace): Connections {
  const connections = new Map<string, Set<number>>();
  for (const { connection, args } of trace.operations({ commands: ['SUBSCRIBE'] }))
    for (const channel of args.slice(1).map(String))
      connections.set(channel, (connections.get(channel) ?? new Set()).add(connection));
  return connections;
}

export class Published {
  readonly #judged = new Map<string, JudgedPublication[]>();

  constructor(
    trace: Trace,
    evidence: Evidence,
    private readonly connections: Connections,
  ) {
    for (const judged of new PubSubJudge(trace, evidence).all()) {
      const message = `${judged.payload.sender}/${judged.payload.count}`;
      this.#judged.set(message, [...(this.#judged.get(message) ?? []), judged]);
    }
  }

  /** Null where it was not published. */
  answerFor(message: string, channel: string): Answer | null {
    const judged = this.#judged.get(message);
    if (!judged) return null;
    const own = this.connections.get(channel);
    const about =
      judged.find((one) => own?.has(subscriberOf(one) ?? -1)) ??
      judged.find((one) => subscriberOf(one) === null);
    if (!about) return ELSEWHERE;
    const { verdict, cause, alternatives, atUs, because } = about;
    return { verdict, cause, alternatives, concerns: true, atUs, because };
  }

  /** Of the findings on a message that the consumer missed, the one on its own connection. */
  findingFor(channel: string, findings: readonly Finding[]): Finding | undefined {
    const own = this.connections.get(channel);
    return findings.find(
      ({ reported_by, operations }) =>
        reported_by.includes(channel) &&
        operations.some(({ role, connection }) => role === 'subscribe' && own?.has(connection)),
    );
  }
}

/** The connection of the one subscriber that it speaks of; null where it speaks of all. */
function subscriberOf({ pubsub }: JudgedPublication): number | null {
  return 'subscription' in pubsub ? (pubsub.subscription?.connection ?? null) : null;
}

/** Losses are said of each subscriber, and none of this one. */
const ELSEWHERE: Answer = {
  ...{ verdict: 'delivered', cause: null, alternatives: [], concerns: true, atUs: null },
  because: 'it is said of other subscribers only that they lost it',
};
