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

import { FirstFitting } from './first-fitting.js';
import { countWhile } from './moment.js';

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

export const HANDSHAKE: ReadonlySet<string> = new Set(['HELLO', 'AUTH', 'CLIENT', 'SELECT']);

export function outOfStepEpisodes(beats: readonly Beat[]): Episode[] {
  const episodes: Episode[] = [];
  /** Since the last matching cycle: pops, overlaps, and the first pop whose reply was owed to a later request. */
  let overlapped: { overlapId: number; owedId: number } | null = null;
  let start: Episode | null = null;
  let lost = false;

  const cyclePops = new Set(matchingCycles(beats).map(({ id }) => id));
  for (const { beat, overlap } of withOverlap(beats)) {
    if (overlap) {
      const { owed, pop } = overlap;
      overlapped ??= { overlapId: beat.id, owedId: owed.id };
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

/** Replies that had not been handed over, of requests in their order; the oldest is all that is asked for. */
class OwedReplies {
  readonly #beats: Beat[] = [];
  #oldest = 0;

  add(beat: Beat): void {
    this.#beats.push(beat);
  }

  /** At a moment, which is never before the one that was asked for last. */
  oldestAt(us: number): Beat | undefined {
    const isHandedOver = (beat: Beat | undefined) => beat && beat.flushedUs !== null && beat.flushedUs <= us;
    while (isHandedOver(this.#beats[this.#oldest])) this.#oldest++;
    return this.#beats[this.#oldest];
  }
}

/** A request that was read while a reply was owed, where that counts: to which operation, and to which pop. */
interface Overlap {
  readonly owed: Beat;
  readonly pop: Beat | undefined;
}

/** Each request with its overlap, if any; looked at one by one. */
function* withOverlap(beats: readonly Beat[]): Generator<{ beat: Beat; overlap: Overlap | null }> {
  const [all, pops] = [new OwedReplies(), new OwedReplies()];
  for (const beat of beats) {
    const [owed, pop] = [all.oldestAt(beat.requestedUs), pops.oldestAt(beat.requestedUs)];
    const counts = !beat.pipelined && !beat.inTransaction && !HANDSHAKE.has(beat.command);
    yield { beat, overlap: owed && counts ? { owed, pop } : null };
    if (!beat.answered) continue;
    if (!HANDSHAKE.has(beat.command)) all.add(beat);
    if (beat.receive?.step === 'pop') pops.add(beat);
  }
}

const OVERLAPPING = new WeakMap<readonly Beat[], boolean>();

/** Was any request read while a reply was owed, in step or not? */
export function everOverlaps(beats: readonly Beat[]): boolean {
  let overlaps = OVERLAPPING.get(beats);
  if (overlaps === undefined) {
    overlaps = false;
    for (const { overlap } of withOverlap(beats)) overlaps ||= overlap !== null;
    OVERLAPPING.set(beats, overlaps);
  }
  return overlaps;
}

/** When it was last seen to be in step before an operation, by a whole receive cycle; 0 where it never was. */
export function inStepUs(beats: readonly Beat[], operationId: number): number {
  const cycles = matchingCycles(beats);
  return cycles[countWhile(cycles, ({ id }) => id < operationId) - 1]?.requestedUs ?? 0;
}

/** The episode that an operation of this connection falls into. */
export function episodeOf(episodes: readonly Episode[], operationId: number): Episode | undefined {
  let known = EPISODES.get(episodes);
  if (!known) {
    known = new FirstFitting(episodes, ({ firstId, endId }) => [-firstId, endId ?? Number.POSITIVE_INFINITY]);
    EPISODES.set(episodes, known);
  }
  return known.first((first = 0, end = 0) => operationId >= -first && operationId < end);
}

const EPISODES = new WeakMap<readonly Episode[], FirstFitting<Episode>>();

/** The pop that begins the first whole receive cycle in step; null where there is none. */
export function firstMatchingCycle(beats: readonly Beat[]): number | null {
  return matchingCycles(beats)[0]?.id ?? null;
}

const LOST_POPS = new WeakMap<readonly Beat[], readonly Beat[]>();

/** The pops of a connection that lost their message. */
export function lostPopsOf(beats: readonly Beat[]): readonly Beat[] {
  let lost = LOST_POPS.get(beats);
  if (!lost) {
    lost = beats.filter(({ receive }) => receive?.step === 'pop' && receive.lost);
    LOST_POPS.set(beats, lost);
  }
  return lost;
}

const CYCLES = new WeakMap<readonly Beat[], readonly Beat[]>();

/** The pops that begin a whole receive cycle on this connection, each reply read before the next step: pop m, back up m, acknowledge. */
function matchingCycles(beats: readonly Beat[]): readonly Beat[] {
  let cycles = CYCLES.get(beats);
  if (!cycles) {
    const receives = beats.filter((beat) => beat.receive !== null);
    cycles = receives.filter((pop, at) => isWholeCycle(pop, receives[at + 1], receives[at + 2]));
    CYCLES.set(beats, cycles);
  }
  return cycles;
}

function isWholeCycle(pop: Beat, backup: Beat | undefined, acknowledge: Beat | undefined): boolean {
  return (
    pop.receive?.step === 'pop' &&
    backup?.receive?.step === 'backup' &&
    backup.receive.member === pop.receive.member &&
    acknowledge?.receive?.step === 'acknowledge' &&
    readBefore(pop, backup) &&
    readBefore(backup, acknowledge)
  );
}

/** Was the reply to the earlier one handed to the client before it sent the later one? */
export function readBefore(earlier: Beat, later: Beat): boolean {
  return earlier.flushedUs !== null && earlier.flushedUs <= later.requestedUs;
}
