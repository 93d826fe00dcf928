/**
 * No operation carries the message: the server never got it from its client, or got it and sent nothing. The trace sees
 * the server's words to Redis only, so it cannot tell these two apart; it can tell that Redis had no part in it.
 */
import type { Meaning } from './cause.js';

export const neverSent: Meaning = {
  id: 'never-sent',
  verdict: 'never-sent',
  meaning: 'No operation carries it.',
  refutedBy:
    'an operation with this sender and count; or a hole, or time that the trace does not cover, in which it could have been sent.',
  advice:
    'The trace tells that Redis and the layer never had this message. It cannot tell whether the client did not send it, the server did not receive it, or the server received it and did not pass it on: log in the consumer that receives from the WebSocket.',
};
