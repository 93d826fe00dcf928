/** Every kind of hint: the one place where all of them are known. */
import { clockSkew } from './clock-skew.js';
import { desyncedConnection } from './desynced-connection.js';
import type { Hint, HintKind, HintMaterial } from './hint.js';
import { leakedInflight } from './leaked-inflight.js';
import { pollTimeoutDisconnect } from './poll-timeout-disconnect.js';
import { pollsStop } from './polls-stop.js';
import { queueNearCapacity } from './queue-near-capacity.js';
import { ttlAboutToEnd } from './ttl-about-to-end.js';

const KINDS: readonly HintKind[] = [
  desyncedConnection,
  pollsStop,
  queueNearCapacity,
  ttlAboutToEnd,
  clockSkew,
  leakedInflight,
  pollTimeoutDisconnect,
];

export function hintsOf(material: HintMaterial): Hint[] {
  return KINDS.flatMap(({ id, advice, look }) =>
    look(material).map(({ seen, operations }) => ({ hint: id, seen, advice, operations })),
  );
}
