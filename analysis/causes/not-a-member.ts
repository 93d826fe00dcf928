/**
 * The recipient was not in the group when the message was sent, so it was sent to the others only. It concerns one recipient, so it is
 * judged only for a client that says it missed the message and whose channel is known (../addressing.ts, ../group-absence.ts).
 *
 * On the wire: the channel is absent from the ZRANGE reply of the group_send; an empty group has no EVAL at all. Its `ZADD G` later: a join
 * race. Its `ZREM G` earlier: it had left. ZREMRANGEBYSCORE G > 0, or the end of G's EXPIRE: group expiry. channels#1244, channels_redis#91.
 */
import type { Meaning } from './cause.js';

export const notAMember: Meaning = {
  id: 'not-a-member',
  verdict: 'not-addressed',
  meaning: 'The recipient was not in the group at that moment, so the layer did not send it there.',
  refutedBy:
    "the client's channel in the reply to the ZRANGE of that group_send, or among the recipients of one of its members.",
  advice:
    'Joined too late: await group_add before accept() or before anything tells others of the consumer. Left: see who called group_discard. Expired: a consumer that stays longer than `group_expiry` (a day by default) must call group_add again before that, or `group_expiry` must be longer than any connection lives.',
};
