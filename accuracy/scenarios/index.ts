/** Every scenario: the one place where all of them are known. */
import { backupOvertaken } from './backup-overtaken.js';
import { django } from './django.js';
import { healthy } from './healthy.js';
import { inFlight } from './in-flight.js';
import { listEraPop } from './list-era-pop.js';
import { lostAfterRedis } from './lost-after-redis.js';
import { messageExpired } from './message-expired.js';
import { misrouted } from './misrouted.js';
import { neverSent } from './never-sent.js';
import { noSubscriber } from './no-subscriber.js';
import { notAMember } from './not-a-member.js';
import { orphanedInFlight } from './orphaned-in-flight.js';
import { outputBufferOverflow } from './output-buffer-overflow.js';
import { overCapacity } from './over-capacity.js';
import { overCapacitySend } from './over-capacity-send.js';
import { poppedThenDisconnected } from './popped-then-disconnected.js';
import { pubsubHealthy } from './pubsub-healthy.js';
import { pubsubLostAfterRedis } from './pubsub-lost-after-redis.js';
import { queueExpired } from './queue-expired.js';
import { receiverStalled } from './receiver-stalled.js';
import { recipientsLeft } from './recipients-left.js';
import { redeliveredLate } from './redelivered-late.js';
import { rejected } from './rejected.js';
import { removedOutsideTrace } from './removed-outside-trace.js';
import { replyDesync } from './reply-desync.js';
import { resubscribeGap } from './resubscribe-gap.js';
import type { Scenario } from './scenario.js';
import { sendUnconfirmed } from './send-unconfirmed.js';
import { sentElsewhere } from './sent-elsewhere.js';
import { shardMismatch } from './shard-mismatch.js';
import { strayPop } from './stray-pop.js';
import { subscribeRace } from './subscribe-race.js';
import { workerDuplicate } from './worker-duplicate.js';
import { wrongProcess } from './wrong-process.js';

export const SCENARIOS: readonly Scenario[] = [
  backupOvertaken,
  django,
  healthy,
  inFlight,
  listEraPop,
  lostAfterRedis,
  messageExpired,
  misrouted,
  neverSent,
  noSubscriber,
  notAMember,
  orphanedInFlight,
  outputBufferOverflow,
  overCapacitySend,
  overCapacity,
  poppedThenDisconnected,
  pubsubHealthy,
  pubsubLostAfterRedis,
  queueExpired,
  receiverStalled,
  recipientsLeft,
  redeliveredLate,
  rejected,
  removedOutsideTrace,
  replyDesync,
  sendUnconfirmed,
  resubscribeGap,
  sentElsewhere,
  shardMismatch,
  strayPop,
  subscribeRace,
  workerDuplicate,
  wrongProcess,
];
