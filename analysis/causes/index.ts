/** Every cause of a loss after the pop, in the order in which they are asked. */
import type { Cause } from './cause.js';
import { poppedThenDisconnected } from './popped-then-disconnected.js';
import { replyDesync } from './reply-desync.js';
import { strayPop } from './stray-pop.js';

export const CAUSES: readonly Cause[] = [replyDesync, strayPop, poppedThenDisconnected];
