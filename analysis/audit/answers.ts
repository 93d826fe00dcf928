/**
 * The four questions of django/channels#1683, answered from one trace: in so many words, with its numbers and the operations that prove
 * them; and where this trace cannot answer one, that is what it says.
 */
import type { Departures } from '../departures.js';
import type { Evidence } from '../evidence.js';
import type { Judgement } from '../judgement.js';
import { seconds } from '../question.js';
import { type BesideDepartures, isMoreThanChance } from './beside-departures.js';
import type { InterruptedPop } from './interrupted.js';
import { type Moment, recipientsHit, roomOf } from './moments.js';

export interface Answer {
  readonly question: string;
  /** False: this trace cannot answer it, and `answer` says why. */
  readonly answered: boolean;
  readonly answer: string;
  readonly figures: Readonly<Record<string, number>>;
  /** Ids of the operations that prove it. */
  readonly operations: readonly number[];
  /** Of several traces: for each of the operations the one that has it, under this id. */
  readonly traces?: readonly string[];
}

/** What the answers are drawn from. */
export interface Findings {
  /** Of these queues, in the order in which the first message of each is seen: the rooms that their messages were for. */
  roomsOf(queues: ReadonlySet<string>): readonly (readonly [queue: string, rooms: ReadonlySet<string>])[];
  readonly evidence: Evidence;
  readonly moments: readonly Moment[];
  readonly interrupted: readonly InterruptedPop[];
  /** The first lost pop of each moment: what follows in the same moment has the same origin. */
  readonly lostPops: BesideDepartures;
  /** Receives cut off in processes that went on receiving. */
  readonly cutOff: BesideDepartures;
}

export function answersOf(findings: Findings): Answer[] {
  return [
    sameMoment(findings),
    onlyWhenSomebodyLeaves(findings),
    connectionReset(findings),
    isItRedis(findings),
  ];
}

function sameMoment({ roomsOf, evidence, moments }: Findings): Answer {
  const question = 'Why do clients in different groups miss messages at the same moment?';
  const losses = moments.flatMap((moment) => moment.losses);
  const losing = new Set(losses.map(({ queue }) => queue));
  const shared = roomsOf(losing).flatMap(([queue, { size }]) => (size > 1 ? [{ queue, rooms: size }] : []));
  const rooms = new Set(moments.flatMap((moment) => moment.rooms));
  const together = moments.filter((moment) => moment.rooms.length > 1);
  const elsewhere = losses.filter((loss) => lostElsewhere(loss, evidence));
  const figures = {
    losses: losses.length,
    moments: moments.length,
    moments_of_several_rooms: together.length,
    rooms_hit: rooms.size,
    queues_shared_by_rooms: shared.length,
    losses_in_another_room_than_the_departure: elsewhere.length,
  };
  if (losses.length === 0) return cannot(question, 'nothing was lost in this trace', figures);
  if (shared.length === 0)
    return cannot(question, 'no queue that lost something carries messages of more than one group', figures);
  const worst = together.toSorted((a, b) => b.losses.length - a.losses.length)[0];
  const proof = worst?.losses ?? losses.filter((loss) => shared.some(({ queue }) => queue === loss.queue));
  return {
    question,
    answered: true,
    answer: [
      `Because they share a queue: a process takes all messages of its consumers, whatever their group, from one queue (here ${nameList(shared.map(({ queue, rooms }) => `${queue}, with messages of ${rooms} groups`))}).`,
      `${count(losses.length, 'loss', 'losses')} fell into ${count(moments.length, 'moment')} and hit ${count(rooms.size, 'room')}; ${together.length === 0 ? 'none of them' : together.length} hit several rooms at once.`,
      ...(worst
        ? [
            `The largest of these: ${count(worst.losses.length, 'loss', 'losses')} within ${((worst.toUs - worst.fromUs) / 1000).toFixed(1)} ms at ${seconds(worst.fromUs)}, in ${count(worst.rooms.length, 'room')}.`,
          ]
        : []),
      ...(elsewhere.length > 0
        ? [
            `In ${elsewhere.length} of ${losses.length} the room that lost is not the room of the consumer that had just left.`,
          ]
        : []),
    ].join(' '),
    figures,
    operations: operationsOf(proof, ['enqueue', 'pop']),
  };
}

/** Was the consumer that left next to it in another room? */
function lostElsewhere(loss: Judgement, evidence: Evidence): boolean {
  const left = loss.waypoints.find(({ role }) => role === 'departure')?.mark.key;
  const room = roomOf(loss, evidence);
  return left !== undefined && room !== null && left !== room;
}

function onlyWhenSomebodyLeaves({ moments, evidence, lostPops }: Findings): Answer {
  const question = 'Why only when some client connects and disconnects in a loop?';
  const departures = evidence.departures.all().length;
  const hit = departedWhoLost(moments, evidence.departures);
  const figures = { disconnects: departures, ...figuresOf(lostPops), departed_who_lost_something: hit };
  if (departures === 0) return cannot(question, 'nobody left a group in this trace', figures);
  if (lostPops.asked.length === 0)
    return cannot(question, 'no message was lost by a pop in this trace', figures);
  if (!isMoreThanChance(lostPops)) return cannot(question, notMore(lostPops, 'lost pops'), figures);
  const itself =
    hit === 0
      ? 'The consumer that left loses nothing itself: it had left its groups before.'
      : `In ${count(hit, 'moment')} the consumer that left was among those who lost.`;
  return {
    question,
    answered: true,
    answer: `Because a disconnect cancels the receive that its consumer does for the whole process. Each of the ${count(lostPops.asked.length, 'moment')} in which a pop lost its message began within ${comparison(lostPops)} ${itself}`,
    figures,
    operations: proofOf(lostPops),
  };
}

/** Moments that hit the consumer that had left just before. */
function departedWhoLost(moments: readonly Moment[], departures: Departures): number {
  return moments.filter(({ losses }) =>
    losses.some((loss) => {
      const left = departures.lastBefore(loss.queue, loss.atUs);
      return left !== null && recipientsHit(loss).includes(left.channel);
    }),
  ).length;
}

function connectionReset({ evidence, interrupted, cutOff }: Findings): Answer {
  const question = 'Does a disconnect reset the connection to Redis?';
  const departures = evidence.departures.all().length;
  const outstanding = interrupted.filter(({ state }) => state === 'outstanding').length;
  const answered = interrupted.length - outstanding;
  const figures = {
    disconnects: departures,
    closed_with_pop_outstanding: outstanding,
    closed_with_pop_just_answered: answered,
    ...figuresOf(cutOff),
  };
  if (departures === 0) return cannot(question, 'nobody left a group in this trace', figures);
  const beside = `beside ${count(departures, 'disconnect')} in ${(evidence.endUs / 1e6).toFixed(0)} s`;
  const closes = `${count(interrupted.length, 'connection')} to Redis ${interrupted.length === 1 ? 'was' : 'were'} closed by the client with a blocking pop outstanding (${outstanding}) or just answered (${answered}), ${beside}`;
  if (cutOff.asked.length === 0)
    return {
      question,
      answered: true,
      answer: `No: ${closes}${interrupted.length > 0 ? '; after these the process received nothing any more: it had ended' : '. This client does not close the connection of a cancelled command'}.`,
      figures,
      operations: [],
    };
  if (!isMoreThanChance(cutOff)) return cannot(question, `${closes}; ${notMore(cutOff, 'closes')}`, figures);
  return {
    question,
    answered: true,
    answer: `Yes, where the consumer that leaves is the one that receives for its process: ${closes}. Where the process went on receiving, each of the ${count(cutOff.asked.length, 'close')} came within ${comparison(cutOff)}`,
    figures,
    operations: proofOf(cutOff),
  };
}

function figuresOf({ asked, longestUs, others, othersAsSoon }: BesideDepartures) {
  return {
    compared: asked.length,
    longest_after_a_departure_us: longestUs ?? 0,
    other_pops: others,
    other_pops_as_soon: othersAsSoon,
  };
}

function comparison({ longestUs, others, othersAsSoon, byChance }: BesideDepartures): string {
  const power = Math.min(9, Math.floor(-Math.log10(byChance)));
  return `${milliseconds(longestUs ?? 0)} after a consumer of the same process had left its last group; of the ${count(others, 'other pop')} of these queues only ${othersAsSoon} did (${percent(othersAsSoon, others)}). By chance that is seen less than once in ${(10 ** power).toLocaleString('en')} such traces.`;
}

function notMore({ asked, longestUs, others, othersAsSoon }: BesideDepartures, what: string): string {
  return longestUs === null
    ? `not all of the ${what} had a departure of their process before them`
    : `the ${asked.length} ${what} came within ${milliseconds(longestUs)} after a departure, and so did ${othersAsSoon} of ${count(others, 'other pop')} (${percent(othersAsSoon, others)}): that may as well be chance`;
}

function proofOf({ asked }: BesideDepartures): number[] {
  return [...new Set(asked.flatMap(({ pop, departure }) => [departure?.mark.id ?? pop.id, pop.id]))];
}

function isItRedis({ moments }: Findings): Answer {
  const losses = moments.flatMap((moment) => moment.losses);
  const taken = losses.filter(({ waypoints }) => waypoints.some(({ role }) => role === 'pop'));
  const figures = { losses: losses.length, popped_before_they_were_lost: taken.length };
  const handed =
    losses.length === 0
      ? 'nothing was lost here'
      : `what it does show: of ${count(losses.length, 'loss', 'losses')} Redis had handed out ${taken.length} to a pop before ${taken.length === 1 ? 'it was' : 'they were'} lost`;
  return {
    ...cannot(
      'Is it the Redis layer?',
      `it holds the run on Redis only; ${handed}. \`gaptrace compare\` makes the same run on the in-memory layer beside it`,
      figures,
    ),
    operations: operationsOf(taken, ['pop']),
  };
}

function cannot(question: string, why: string, figures: Readonly<Record<string, number>>): Answer {
  return {
    question,
    answered: false,
    answer: `This trace cannot answer it: ${why}.`,
    figures,
    operations: [],
  };
}

function operationsOf(judgements: readonly Judgement[], roles: readonly string[]): number[] {
  const ids = judgements.flatMap(({ waypoints }) =>
    waypoints.filter(({ role }) => roles.includes(role)).map(({ mark }) => mark.id),
  );
  return [...new Set(ids)].sort((a, b) => a - b);
}

function nameList(names: readonly string[]): string {
  const [first] = names;
  return names.length === 1 ? `${first}` : `${first} and ${names.length - 1} more`;
}

function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

function milliseconds(us: number): string {
  return `${(us / 1000).toFixed(0)} ms`;
}

function percent(part: number, whole: number): string {
  return whole === 0 ? 'none to compare' : `${((100 * part) / whole).toFixed(0)} %`;
}
