/** Every cause of a loss after the pop, in the order in which they are asked. */
import type { Cause, CauseId } from './cause.js';
import { poppedThenDisconnected } from './popped-then-disconnected.js';
import { replyDesync } from './reply-desync.js';
import { strayPop } from './stray-pop.js';

export const CAUSES: readonly Cause[] = [replyDesync, strayPop, poppedThenDisconnected];

export function causeOf(id: CauseId): Cause {
  const cause = CAUSES.find((known) => known.id === id);
  if (!cause) throw new Error(`no such cause: ${id}`);
  return cause;
}
