/**
 * From ends to verdicts: every message in every queue of the core layer is given one. A cause is named only when it
 * alone holds; where the evidence allows two, the verdict is `indeterminate` and both are listed.
 */
import type { Case, Cause, PopConduct } from './causes/cause.js';
import { decide, plain, type Sentence } from './causes/decide.js';
import { CAUSES } from './causes/index.js';
import { perhapsOutOfStep, requestsAfter } from './causes/sent-too-early.js';
import { type End, type EndAtPop, type Ending, endingOf, holeText } from './ending.js';
import type { Conduct, Evidence } from './evidence.js';
import type { Journey, Mark } from './journey.js';
import type { Judgement, Waypoint } from './judgement.js';
import { episodeOf, everOverlaps, inStepUs } from './out-of-step.js';
import { processOf } from './profiles/channel-layer.js';
import { consequencesOf, storyOf } from './story.js';
import { unlessAllLeft } from './unless-all-left.js';

export class Judge {
  readonly #evidence: Evidence;
  readonly #ended: readonly { readonly journey: Journey; readonly ending: Ending }[];
  readonly #lostPops: ReadonlySet<number>;

  constructor(evidence: Evidence) {
    this.#evidence = evidence;
    this.#ended = evidence.journeys.journeys
      .filter((journey) => !evidence.isPlain(journey))
      .map((journey) => ({ journey, ending: endingOf(journey, evidence) }));
    this.#lostPops = new Set(
      this.#ended.flatMap(({ ending }) => (ending.at === 'pop' ? [ending.pop.id] : [])),
    );
  }

  /** The verdict on every message in every queue of the layer, in the order of first appearance. */
  all(): JudgedJourney[] {
    const taken = this.#ended.flatMap(({ ending }) =>
      ending.at === 'pop' || ending.at === 'unguarded' ? [ending.pop.connection] : [],
    );
    if (taken.length > 0) this.#evidence.readConducts(new Set(taken), this.#lostPops);
    return this.#ended.map(({ journey, ending }) => this.#judge(journey, ending, null));
  }

  /** The verdict on one of them. */
  of(journey: Journey): JudgedJourney {
    return this.#judge(journey, endingOf(journey, this.#evidence), null);
  }

  /** The verdict on a message of which a client says that it never got it; `by`: the client's channels, as far as they are known. */
  missed({ journey, ending }: JudgedJourney, by: readonly string[] = []): JudgedJourney {
    return this.#judge(journey, ending, by);
  }

  /** How a connection was used, known which of its pops lost their message. */
  conductOf(connection: number): Conduct {
    return this.#evidence.conduct(connection, this.#lostPops);
  }

  #judge(journey: Journey, ending: Ending, missed: Missed): JudgedJourney {
    const evidence = this.#evidence;
    const pop = journey.pops.at(-1) ?? null;
    const last = pop ?? journey.enqueues.at(-1) ?? journey.backups.at(-1) ?? journey.acknowledgements.at(-1);
    const atUs = last?.repliedUs ?? last?.requestedUs ?? 0;
    const known = { journey, ending, atUs };
    const sentence = unlessAllLeft(this.#sentence(journey, ending, missed), known, evidence);
    const { payload, queue, member } = journey;
    return {
      ...{ journey, ending, payload, queue, member, atUs, ...sentence },
      // Asked of few of all that a trace holds, so made when they are asked for.
      get story() {
        return storyOf(journey, evidence);
      },
      get consequences() {
        return consequencesOf(journey, ending);
      },
      get waypoints() {
        return waypointsOf(journey, ending, evidence);
      },
      present: ending.at === 'pop' ? ending.present : evidence.presentFor(journey, atUs),
      taker: pop?.connection ?? null,
      process: processOf(queue),
    };
  }

  #sentence(journey: Journey, ending: Ending, missed: Missed): Sentence {
    switch (ending.at) {
      case 'left':
        return plain('recipients-left', ending.why);
      case 'unfinished':
        return plain('in-flight', ending.why);
      case 'undecided':
        return { ...plain('indeterminate', ending.why), alternatives: ending.alternatives };
      case 'misplaced':
        return (
          this.#cause(CAUSES.misplaced, journey, ending, missed) ??
          plain('duplicated', 'its recipients were sent it twice, in one operation')
        );
      case 'enqueue':
        return (
          this.#cause(CAUSES.enqueue, journey, ending, missed) ??
          plain('indeterminate', 'Redis is not known to have put it into its queue')
        );
      case 'queue':
        return this.#cause(CAUSES.queue, journey, ending, missed) ?? this.#stillInQueue(journey, ending);
      case 'pop':
        return (
          this.#conductHidden(journey, ending) ??
          this.#cause(CAUSES.pop, journey, ending, missed) ??
          plain(
            'indeterminate',
            'it was popped and never backed up, and none of the known causes fits the evidence',
          )
        );
      case 'unguarded':
        return (
          this.#cause(CAUSES.unguarded, journey, ending, missed) ??
          plain('delivered', 'it was popped, by a version of the layer that keeps no backup')
        );
      case 'backup':
        return (
          this.#cause(CAUSES.backup, journey, ending, missed) ??
          plain('in-flight', 'it was popped and backed up; the trace ends before it was acknowledged')
        );
      case 'acknowledge':
        return (
          this.#cause(CAUSES.acknowledge, journey, ending, missed) ??
          plain('delivered', 'it was popped, backed up and acknowledged')
        );
    }
  }

  /** A hole that could hide when the connection fell out of step, so which of its causes took the message. */
  #conductHidden({ queue }: Journey, { pop, next }: EndAtPop): Sentence | null {
    const evidence = this.#evidence;
    const { beats } = evidence.conduct(pop.connection, this.#lostPops);
    const overlaps = everOverlaps(beats);
    const openedUs = evidence.connections.get(pop.connection)?.openedUs ?? 0;
    const fromUs = overlaps ? 0 : Math.max(openedUs, inStepUs(beats, pop.id));
    const toUs = Math.max(next.repliedUs ?? next.requestedUs, pop.flushedUs ?? 0);
    const hole = [...evidence.holesHidingConduct(pop.connection, queue, { fromUs, toUs })].find(
      ({ connection }) => overlaps || connection === null || connection === pop.connection,
    );
    if (!hole) return null;
    return {
      ...plain(
        'indeterminate',
        `it was popped and never backed up, but how connection ${pop.connection} was used until then is not all known: ${holeText(hole)}`,
      ),
      alternatives: CAUSES.pop.map(({ id }) => id),
    };
  }

  #stillInQueue(journey: Journey, { gone }: Extract<Ending, { at: 'queue' }>): Sentence {
    const [hole] = this.#evidence.holesHidingWhoIsThere(journey, this.#evidence.endUs);
    if (gone)
      return {
        ...plain('indeterminate', `${gone.why}: it was removed, or it expired`),
        alternatives: ['queue-expired', 'message-expired', 'removed-outside-trace'],
      };
    if (hole)
      return {
        ...plain(
          'indeterminate',
          `it was never popped, and who was still there is not known: ${holeText(hole)}`,
        ),
        alternatives: ['in-flight', 'recipients-left'],
      };
    return this.#evidence.presentFor(journey, this.#evidence.endUs)?.length === 0
      ? plain('recipients-left', 'it was never popped, and everyone it was for had left when the trace ended')
      : plain('in-flight', 'it was in its queue when the trace ended');
  }

  /** The one cause that holds; `indeterminate` where several may; null where none does. */
  #cause<Of extends End>(
    causes: readonly Cause<Of>[],
    journey: Journey,
    end: Of,
    missed: Missed,
  ): Sentence | null {
    const example = this.#case(journey, end, missed);
    return decide(causes.map((cause) => ({ cause, found: cause.examine(example) })));
  }

  #case<Of extends End>(journey: Journey, end: Of, missedBy: Missed): Case<Of> {
    const evidence = this.#evidence;
    const queue = evidence.journeys.queues.get(journey.queue);
    if (!queue) throw new Error(`journey in a queue without a history: ${journey.queue}`);
    let conduct: PopConduct | null | undefined;
    return {
      ...{ journey, end, queue, evidence, missedBy, missed: missedBy !== null },
      conduct: () => {
        if (conduct === undefined) conduct = this.#conduct(journey.pops.at(-1));
        return conduct;
      },
    };
  }

  #conduct(pop: Mark | undefined): PopConduct | null {
    if (!pop) return null;
    const { beats, episodes } = this.conductOf(pop.connection);
    const poppedUs = pop.repliedUs ?? pop.requestedUs;
    return {
      after: requestsAfter(beats, pop.id, poppedUs),
      episode: episodeOf(episodes, pop.id),
      perhapsSince: perhapsOutOfStep(beats, pop.id),
    };
  }
}

/** A judgement of the core layer, with the facts that it was made from. */
export interface JudgedJourney extends Judgement {
  readonly journey: Journey;
  readonly ending: Ending;
}

/** The channels, as far as they are known, of those who say that they never got it; null where nobody says so. */
type Missed = Case['missedBy'];

function waypointsOf(journey: Journey, ending: Ending, evidence: Evidence): Waypoint[] {
  const next = ending.at === 'pop' || ending.at === 'undecided' ? ending.next : null;
  const departure =
    ending.at === 'pop' ? evidence.departures.nextTo(journey.queue, cancelledBy(ending, evidence)) : null;
  return [
    ...journey.enqueues.map((enqueue) => ({
      role: 'enqueue',
      mark: enqueue,
      ...(enqueue.by === 'send'
        ? {}
        : { implied: [`ZADD ${enqueue.key}`, `EXPIRE ${enqueue.key} ${enqueue.expiry ?? ''}`.trimEnd()] }),
    })),
    ...journey.pops.map((mark) => ({ role: 'pop', mark })),
    ...journey.backups.map((mark) => ({ role: 'backup', mark })),
    ...journey.acknowledgements.map((mark) => ({ role: 'acknowledge', mark })),
    ...(next ? [{ role: 'next-receive', mark: next }] : []),
    ...(departure ? [{ role: 'departure', mark: departure.mark }] : []),
  ];
}

/** The latest moment at which the receive can have been cancelled: its connection is closed, or the next receive step begins. */
function cancelledBy({ pop, next }: EndAtPop, { connections }: Evidence): number {
  return Math.min(next.requestedUs, connections.get(pop.connection)?.closedUs ?? next.requestedUs);
}
