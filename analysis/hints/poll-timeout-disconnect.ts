/**
 * The Redis client gives up on a poll just when the poll would end by itself: redis-py 8 reads with a timeout of 5 s by default, and
 * `BZPOPMIN K 5` takes 5 s where nothing comes. channels_redis#422. It closes the connection, and a message that comes at that moment
 * is popped for nobody. No loss by itself: it opens the window every 5 s.
 *
 * Innocent: a poll that is cut off at any other time (a consumer was cancelled), or that Redis had answered.
 */
import { type InterruptedPop, interruptedPops } from '../audit/interrupted.js';
import { groupedBy } from '../audit/totals.js';
import { operationOf } from '../finding.js';
import { seconds } from '../question.js';
import type { HintKind, HintMaterial } from './hint.js';

/** Redis looks after timeouts ten times a second, and a busy client is late: this near to the timeout is at the timeout. */
const NEAR_US = 250_000;

function look({ evidence, trace, brought }: HintMaterial) {
  const timedOut = interruptedPops(evidence).filter(
    (one) => one.state === 'outstanding' && !brought(one.pop) && atItsTimeout(one, trace),
  );
  return groupedBy(timedOut, ({ queue }) => queue).map(([queue, of]) => {
    const [first] = of as [InterruptedPop];
    const waited = ((first.closedUs - first.pop.requestedUs) / 1e6).toFixed(2);
    return {
      seen: `${of.length === 1 ? 'Once' : `${of.length} times`} the client closed its connection when a poll of queue ${queue} was about to time out, without a reply: first at ${seconds(first.closedUs)}, connection ${first.pop.connection}, ${waited} s after operation ${first.pop.id}.`,
      operations: of.map(({ pop }) => operationOf('poll', pop)),
    };
  });
}

function atItsTimeout({ pop, closedUs }: InterruptedPop, trace: HintMaterial['trace']): boolean {
  const timeout = Number(trace.operation(pop.id)?.args.at(-1)?.toString('latin1'));
  return timeout > 0 && Math.abs(closedUs - pop.requestedUs - timeout * 1e6) <= NEAR_US;
}

export const pollTimeoutDisconnect: HintKind = {
  id: 'poll-timeout-disconnect',
  advice:
    'Let the Redis client wait for longer than the layer polls: `"hosts": [{"address": …, "socket_timeout": None}]` in CHANNEL_LAYERS, or any time well above the 5 s of the poll (channels_redis#422). Until then every quiet receive ends with an exception, and takes its WebSocket with it.',
  look,
};
