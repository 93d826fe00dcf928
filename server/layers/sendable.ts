/** What can be sent: a map of msgpack's values that does not say itself whom it is for. */
import { GaptraceError, messageOf } from '../../terminal/errors.js';
import { type Message, RECIPIENTS_KEY } from './message.js';

/** Throws GAPTRACE_LAYER_MESSAGE when it is no map, or has the key that is the layer's own. */
export function checkMessage(message: Message): void {
  if (message === null || typeof message !== 'object' || Array.isArray(message))
    throw wrong('a message is a map');
  if (RECIPIENTS_KEY in message) throw wrong(`the key ${RECIPIENTS_KEY} is the layer's own`);
}

/** What `pack` makes of a message; a value that msgpack has no form for is GAPTRACE_LAYER_MESSAGE. */
export function packed(pack: () => Uint8Array): Uint8Array {
  try {
    return pack();
  } catch (error) {
    throw wrong(messageOf(error), error);
  }
}

function wrong(why: string, cause?: unknown): GaptraceError {
  return new GaptraceError('GAPTRACE_LAYER_MESSAGE', `this cannot be sent: ${why}`, { cause });
}
