/**
 * When was a connection out of step: its client reading replies that belong to other requests?
 *
 * A serial client (redis-py) sends a request, reads the reply, sends the next. When it sends one before the reply to an
 * earlier one was handed to it, that earlier caller was cancelled and its reply stays unread: the next caller reads it,
 * and everyone after is one reply behind, until the connection closes or, by some accident, falls back into step.
 * On the wire this is a request read before an earlier reply was flushed to the client. Handshakes, MULTI and
 * pipelines do that in good health, and do not count. Nor do clients that multiplex (ioredis): they overlap requests
 * and stay in step all the same, which shows by a whole receive cycle after an overlap with no pop lost in between.
 *
 * Source: redis-py#2624, #2665, channels_redis#348; examples/desync.
 */

/** One request of a connection, as far as this question needs it. In order of sequence. */
export interface Beat {
  readonly id: number;
  readonly command: string;
  readonly requestedUs: number;
  readonly repliedUs: number | null;
  readonly flushedUs: number | null;
  readonly pipelined: boolean;
  readonly inTransaction: boolean;
  /** False where Redis answers nothing (CLIENT REPLY OFF). */
  readonly answered: boolean;
  /** What it did to a queue, where it is part of a receive cycle. Members as comparable text. */
  readonly receive:
    | { readonly step: 'pop'; readonly member: string; readonly lost: boolean }
    | { readonly step: 'backup'; readonly member: string }
    | { readonly step: 'acknowledge' }
    | null;
}

/** From the pop whose reply was owed (`firstId`) up to, not including, the pop of the first matching cycle (`endId`). */
export interface Episode {
  readonly firstId: number;
  /** Null: to the end of the connection. */
  readonly endId: number | null;
  /** The request that was read while a reply was owed, and the operation that it was owed to. */
  readonly overlapId: number;
  readonly owedId: number;
}

const HANDSHAKE = new Set(['HELLO', 'AUTH', 'CLIENT', 'SELECT']);

export function outOfStepEpisodes(beats: readonly Beat[]): Episode[] {
  const episodes: Episode[] = [];
  /** Since the last matching cycle: pops, overlaps, and the first pop whose reply was owed to a later request. */
  let overlapped: { overlapId: number; owedId: number } | null = null;
  let start: Episode | null = null;
  let lost = false;

  const cyclePops = matchingCycles(beats);
  for (const { beat, owed } of withOwed(beats)) {
    const counted = overlapOf(beat, owed);
    if (counted) {
      overlapped ??= { overlapId: beat.id, owedId: counted.id };
      const pop = owed.find((earlier) => earlier.receive?.step === 'pop');
      if (pop && !start) start = { firstId: pop.id, endId: null, overlapId: beat.id, owedId: pop.id };
    }
    if (beat.receive?.step === 'pop' && beat.receive.lost) lost = true;

    if (!cyclePops.has(beat.id)) continue;
    // In step again, from this cycle's pop on.
    if (overlapped && !lost) return episodes; // overlaps, and loses nothing by it: it multiplexes
    if (start && start.firstId < beat.id) episodes.push({ ...start, endId: beat.id });
    overlapped = null;
    start = null;
    lost = false;
  }
  if (start) episodes.push(start);
  return episodes;
}

/** Each request with those before it whose reply had not been handed over when it was read; looked at one by one. */
function* withOwed(beats: readonly Beat[]): Generator<{ beat: Beat; owed: readonly Beat[] }> {
  let owed: Beat[] = [];
  for (const beat of beats) {
    owed = owed.filter((earlier) => earlier.flushedUs === null || earlier.flushedUs > beat.requestedUs);
    yield { beat, owed };
    if (beat.answered) owed.push(beat);
  }
}

/** The operation whose reply was owed when this request was read, where that counts. */
function overlapOf(beat: Beat, owed: readonly Beat[]): Beat | undefined {
  if (beat.pipelined || beat.inTransaction || HANDSHAKE.has(beat.command)) return undefined;
  return owed.find((earlier) => !HANDSHAKE.has(earlier.command));
}

/** Was any request read while a reply was owed, in step or not? */
export function everOverlaps(beats: readonly Beat[]): boolean {
  for (const { beat, owed } of withOwed(beats)) if (overlapOf(beat, owed)) return true;
  return false;
}

/** When it was last seen to be in step before an operation, by a whole receive cycle; 0 where it never was. */
export function inStepUs(beats: readonly Beat[], operationId: number): number {
  const cyclePops = matchingCycles(beats);
  return beats.findLast(({ id }) => id < operationId && cyclePops.has(id))?.requestedUs ?? 0;
}

/** The episode that an operation of this connection falls into. */
export function episodeOf(episodes: readonly Episode[], operationId: number): Episode | undefined {
  return episodes.find((e) => operationId >= e.firstId && (e.endId === null || operationId < e.endId));
}

/** The pop that begins the first whole receive cycle in step; null where there is none. */
export function firstMatchingCycle(beats: readonly Beat[]): number | null {
  const [first] = matchingCycles(beats);
  return first ?? null;
}

/** The pops that begin a whole receive cycle on this connection, each reply read before the next step: pop m, back up m, acknowledge. */
function matchingCycles(beats: readonly Beat[]): ReadonlySet<number> {
  const receives = beats.filter((beat) => beat.receive !== null);
  const pops = new Set<number>();
  for (const [index, pop] of receives.entries()) {
    const [backup, acknowledge] = receives.slice(index + 1, index + 3);
    if (
      pop.receive?.step === 'pop' &&
      backup?.receive?.step === 'backup' &&
      backup.receive.member === pop.receive.member &&
      acknowledge?.receive?.step === 'acknowledge' &&
      readBefore(pop, backup) &&
      readBefore(backup, acknowledge)
    )
      pops.add(pop.id);
  }
  return pops;
}

function readBefore(earlier: Beat, later: Beat): boolean {
  return earlier.flushedUs !== null && earlier.flushedUs <= later.requestedUs;
}
