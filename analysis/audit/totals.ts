/** How many messages came to which end: over the whole trace, and by queue, by process and by client library. */
import type { Judgement } from '../judgement.js';

/** What is counted of a judgement; or of several that are alike. */
export interface Counted extends Pick<Judgement, 'verdict' | 'cause' | 'queue' | 'process' | 'taker'> {
  /** How many they are; one where it is not said. */
  readonly messages?: number;
}

/** Of some messages, each counted once for every queue that it was put into. */
export interface Tally {
  readonly total: number;
  readonly verdicts: Readonly<Record<string, number>>;
  readonly causes: Readonly<Record<string, number>>;
}

export interface Totals extends Tally {
  readonly by_queue: readonly (Tally & { readonly queue: string })[];
  /** Null: a general channel, which any process may read. */
  readonly by_process: readonly (Tally & { readonly process: string | null })[];
  /** By what the client says it is on the connection that took the message. Null: it does not say. */
  readonly by_client_library: readonly (Tally & { readonly client_library: string | null })[];
  /** Messages that no connection took, which are in no client library's tally. */
  readonly not_taken: number;
}

/** `clientLibrary`: what the client on a connection says it is. */
export function totalsOf(
  judgements: readonly Counted[],
  clientLibrary: (connection: number) => string | null,
): Totals {
  const taken = judgements.filter(({ taker }) => taker !== null);
  return {
    ...tallyOf(judgements),
    by_queue: groupedBy(judgements, ({ queue }) => queue).map(([queue, of]) => ({ queue, ...tallyOf(of) })),
    by_process: groupedBy(judgements, ({ process }) => process).map(([process, of]) => ({
      process,
      ...tallyOf(of),
    })),
    by_client_library: groupedBy(taken, ({ taker }) => (taker === null ? null : clientLibrary(taker))).map(
      ([client_library, of]) => ({ client_library, ...tallyOf(of) }),
    ),
    not_taken: messagesIn(judgements) - messagesIn(taken),
  };
}

function messagesIn(judgements: readonly Counted[]): number {
  return judgements.reduce((sum, { messages = 1 }) => sum + messages, 0);
}

function tallyOf(judgements: readonly Counted[]): Tally {
  return {
    total: messagesIn(judgements),
    verdicts: countedBy(judgements, ({ verdict }) => verdict, messagesIn),
    causes: countedBy(judgements, ({ cause }) => cause, messagesIn),
  };
}

/** How many of each, the most frequent first; those without a word are not counted. */
export function countedBy<Of>(
  list: readonly Of[],
  word: (one: Of) => string | null,
  howMany: (of: readonly Of[]) => number = ({ length }) => length,
): Readonly<Record<string, number>> {
  const counts = groupedBy(list, word).flatMap(([name, of]) =>
    name === null ? [] : [[name, howMany(of)] as const],
  );
  return Object.fromEntries(counts.sort(([, a], [, b]) => b - a));
}

/** In the order of first appearance. */
export function groupedBy<Of, Key>(list: readonly Of[], key: (one: Of) => Key): [Key, Of[]][] {
  const groups = new Map<Key, Of[]>();
  for (const one of list) {
    const group = groups.get(key(one));
    if (group) group.push(one);
    else groups.set(key(one), [one]);
  }
  return [...groups];
}
