/**
 * Receives that were cut off: connections that their client closed while a blocking pop on them was outstanding, or had just been
 * answered and nothing was done with the reply. That is what a cancelled consumer leaves of the receive that it did for its whole
 * process, where its Redis client closes the connection of a cancelled command (redis-py 4.3, 5 and later).
 *
 * No loss by itself: most cancelled pops have taken nothing.
 */
import type { Evidence } from '../evidence.js';
import type { Mark } from '../journey.js';

export interface InterruptedPop {
  readonly queue: string;
  readonly pop: Mark;
  readonly state: 'outstanding' | 'just-answered';
  readonly closedUs: number;
}

/** Whoever reads a reply backs the message up at once; a connection that closes this soon after it without a word was cut off. */
const JUST_US = 100_000;

/** In the order of the closes. */
export function interruptedPops(evidence: Evidence): InterruptedPop[] {
  const interrupted: InterruptedPop[] = [];
  for (const [connection, last] of lastBlockingPops(evidence)) {
    const known = evidence.connections.get(connection);
    if (!known || known.closedUs === null || known.closedBy !== 'client') continue;
    const { pop } = last;
    const since = known.closedUs - (pop.repliedUs ?? Number.POSITIVE_INFINITY);
    if (since < 0) interrupted.push({ ...last, state: 'outstanding', closedUs: known.closedUs });
    else if (since <= JUST_US && isLastRequest(pop, evidence))
      interrupted.push({ ...last, state: 'just-answered', closedUs: known.closedUs });
  }
  return interrupted.sort((a, b) => a.closedUs - b.closedUs);
}

/** Of each connection that polls a queue of the layer, its last poll. */
function lastBlockingPops({ journeys }: Evidence): Map<number, Pick<InterruptedPop, 'queue' | 'pop'>> {
  const last = new Map<number, Pick<InterruptedPop, 'queue' | 'pop'>>();
  for (const { name, receives } of journeys.queues.values())
    for (const pop of receives) {
      if (!isBlocking(pop)) continue;
      const known = last.get(pop.connection);
      if (!known || known.pop.id < pop.id) last.set(pop.connection, { queue: name, pop });
    }
  return last;
}

/** Redis' commands that wait for an element all begin so. */
export function isBlocking({ command }: Mark): boolean {
  return command.startsWith('B');
}

function isLastRequest({ connection, id }: Mark, { uses }: Evidence): boolean {
  return uses.get(connection)?.lastId === id;
}
