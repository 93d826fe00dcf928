/**
 * Every message of the pub/sub layer is given its verdicts: one for each subscriber that lost it or may have, else one for all. Causes
 * are decided as for the core layer (causes/decide.ts).
 */
import type { Trace } from '../../proxy/trace/trace.js';
import { decide, plain, type Sentence } from '../causes/decide.js';
import { PUBSUB_CAUSES } from '../causes/index.js';
import type { PubSubCase, PubSubCause } from '../causes/pubsub-cause.js';
import type { Evidence } from '../evidence.js';
import type { Judgement } from '../judgement.js';
import { DEFAULT_FIELDS, type PayloadFields } from '../payload.js';
import { isLoss } from '../verdict.js';
import { audienceOf } from './audience.js';
import { countHeard, endingsOf, type Ground, isOwed, type PubSubEnd, type PubSubEnding } from './ending.js';
import { type Publication, type PubSubFacts, readPubSub } from './facts.js';
import { outcomeOf, storyOf, takerOf, waypointsOf } from './story.js';
import { veilsOf } from './veil.js';

/** A judgement of the pub/sub layer, with the facts that it was made from. */
export interface JudgedPublication extends Judgement {
  readonly publication: Publication;
  readonly pubsub: PubSubEnding;
}

/** What a report adds. */
interface Report {
  readonly missed: boolean;
  readonly sameElsewhere: boolean;
}

export class PubSubJudge {
  readonly #evidence: Evidence;
  readonly #facts: PubSubFacts;
  readonly #ground: Ground;

  constructor(trace: Trace, evidence: Evidence, fields: PayloadFields = DEFAULT_FIELDS) {
    this.#evidence = evidence;
    this.#facts = readPubSub(trace, fields);
    const audience = audienceOf(this.#facts, evidence.connections, evidence.endUs);
    const { kills } = this.#facts;
    const veils = veilsOf(this.#facts, audience.successors, evidence);
    const known = { audience, evidence, kills, veils, strange: new Set<string>() };
    this.#ground = { ...known, strange: strangeChannels(this.#facts, known) };
  }

  /** The verdicts on every message of the layer, channel by channel. */
  all(): JudgedPublication[] {
    const silent = { missed: false, sameElsewhere: false };
    const publications = [...this.#facts.publications.values()].flat();
    const judged = publications.filter(({ channel }) => this.#evidence.scope.has(channel));
    return judged.flatMap((publication) => {
      const verdicts = endingsOf(publication, this.#ground).map((ending) =>
        this.#judge(publication, ending, silent),
      );
      const telling = verdicts.filter(({ verdict }) => isLoss(verdict) || verdict === 'indeterminate');
      return telling.length > 0 ? telling : [speaking(verdicts)];
    });
  }

  /** The verdict on a message of which a client says that it never got it; `among`: all that carried it. */
  missed(
    { publication, pubsub, verdict }: JudgedPublication,
    among: readonly Judgement[],
  ): JudgedPublication {
    const sameElsewhere = among.some((other) => other.verdict !== verdict);
    return this.#judge(publication, pubsub, { missed: true, sameElsewhere });
  }

  #judge(publication: Publication, ending: PubSubEnding, report: Report): JudgedPublication {
    const { mark, payload, channel, member } = publication;
    const sentence = this.#sentence(publication, ending, report);
    return {
      ...{ publication, pubsub: ending, payload, queue: channel, member, ...sentence },
      story: storyOf(publication),
      consequences: [],
      waypoints: waypointsOf(publication, ending),
      present: null,
      taker: takerOf(ending),
      atUs: mark.repliedUs ?? mark.requestedUs,
      process: null,
    };
  }

  #sentence(publication: Publication, ending: PubSubEnding, report: Report): Sentence {
    switch (ending.at) {
      case 'refused':
        return { ...plain('rejected', `Redis refused it: ${ending.error}`), cause: 'rejected' };
      case 'unfinished':
        return plain('in-flight', ending.why);
      case 'undecided':
        return { ...plain('indeterminate', ending.why), alternatives: ending.alternatives };
      case 'nobody':
        return (
          this.#cause(PUBSUB_CAUSES.nobody, publication, ending, report) ??
          plain('recipients-left', outcomeOf(ending))
        );
      case 'connection':
        return (
          this.#cause(PUBSUB_CAUSES.connection, publication, ending, report) ??
          plain('recipients-left', outcomeOf(ending))
        );
      case 'reached':
        return (
          this.#cause(PUBSUB_CAUSES.reached, publication, ending, report) ??
          plain('delivered', outcomeOf(ending))
        );
    }
  }

  #cause<Of extends PubSubEnd>(
    causes: readonly PubSubCause<Of>[],
    publication: Publication,
    end: Of,
    report: Report,
  ): Sentence | null {
    const example: PubSubCase<Of> = { publication, end, evidence: this.#evidence, ...report };
    return decide(causes.map((cause) => ({ cause, found: cause.examine(example) })));
  }
}

/** Where nothing is lost: what is on its way, then what arrived, speaks for all. */
function speaking(judged: readonly JudgedPublication[]): JudgedPublication {
  const by = (verdict: string) => judged.find((one) => one.verdict === verdict);
  return by('in-flight') ?? by('delivered') ?? (judged[0] as JudgedPublication);
}

/** Where everybody whom the trace shows got a message, and Redis counted more: others are subscribed past the proxy. */
function strangeChannels({ publications }: PubSubFacts, ground: Ground): ReadonlySet<string> {
  const strange = new Set<string>();
  for (const [channel, published] of publications)
    for (const publication of published) {
      const hearings = ground.audience.hearings.get(publication) ?? [];
      const settled = !hearings.some((one) => one.push === null && isOwed(one, hearings, ground));
      if (settled && (publication.receivers ?? 0) > countHeard(hearings)) strange.add(channel);
    }
  return strange;
}
