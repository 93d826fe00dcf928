/** Every cause, under the end that it explains: the one place where all of them are known. */
import type { End } from '../ending.js';
import type { PubSubEnd } from '../pubsub/ending.js';
import { acknowledgedAnother } from './acknowledged-another.js';
import { backupOvertaken } from './backup-overtaken.js';
import type { Cause, Meaning } from './cause.js';
import { listEraPop } from './list-era-pop.js';
import { lostAfterPush, lostAfterRedis } from './lost-after-redis.js';
import { messageExpired } from './message-expired.js';
import { misrouted } from './misrouted.js';
import { neverSent } from './never-sent.js';
import { noSubscriber } from './no-subscriber.js';
import { notAMember } from './not-a-member.js';
import { orphanedInFlight } from './orphaned-in-flight.js';
import { outputBufferOverflow } from './output-buffer-overflow.js';
import { overCapacity } from './over-capacity.js';
import { poppedThenDisconnected } from './popped-then-disconnected.js';
import type { PubSubCause } from './pubsub-cause.js';
import { queueExpired } from './queue-expired.js';
import { receiverStalled } from './receiver-stalled.js';
import { redeliveredLate } from './redelivered-late.js';
import { rejected } from './rejected.js';
import { removedOutsideTrace } from './removed-outside-trace.js';
import { replyDesync } from './reply-desync.js';
import { resubscribeGap } from './resubscribe-gap.js';
import { sendUnconfirmed } from './send-unconfirmed.js';
import { shardMismatch } from './shard-mismatch.js';
import { strayPop } from './stray-pop.js';
import { subscribeRace } from './subscribe-race.js';
import { workerDuplicate } from './worker-duplicate.js';
import { wrongProcess } from './wrong-process.js';

type Causes = { readonly [At in End['at']]: readonly Cause<Extract<End, { at: At }>>[] };

export const CAUSES: Causes = {
  misplaced: [misrouted],
  enqueue: [receiverStalled, overCapacity, rejected, sendUnconfirmed, shardMismatch],
  queue: [receiverStalled, queueExpired, messageExpired, removedOutsideTrace],
  pop: [replyDesync, strayPop, poppedThenDisconnected],
  unguarded: [listEraPop, lostAfterRedis],
  backup: [orphanedInFlight],
  acknowledge: [
    backupOvertaken,
    acknowledgedAnother,
    wrongProcess,
    workerDuplicate,
    redeliveredLate,
    lostAfterRedis,
  ],
};

type PubSubCauses = {
  readonly [At in PubSubEnd['at']]: readonly PubSubCause<Extract<PubSubEnd, { at: At }>>[];
};

export const PUBSUB_CAUSES: PubSubCauses = {
  nobody: [noSubscriber, subscribeRace],
  connection: [outputBufferOverflow, resubscribeGap],
  reached: [lostAfterPush, subscribeRace],
};

/** What each cause says to a person, by its id. */
export const MEANINGS: ReadonlyMap<string, Meaning> = new Map(
  [...Object.values(CAUSES).flat(), ...Object.values(PUBSUB_CAUSES).flat(), neverSent, notAMember].map(
    (cause) => [cause.id, cause],
  ),
);
