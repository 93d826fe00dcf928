/**
 * A message that no operation carries may have been sent to a group with nobody in it: then all there is of it is a roll call that
 * found nobody. The sender's neighbouring counts say which group, and when.
 *
 * Each count that is missing at that time, of whatever sender, needs an empty roll call of its own; and an application that sends to
 * the group without a count as well (who comes, who goes) has as many more to explain as there were comings and goings.
 */
import { absentFrom, type Material, named, rollCallOf } from './addressing.js';
import { holeText } from './ending.js';
import type { Evidence, Span } from './evidence.js';
import { type Absent, foremost } from './group-absence.js';
import type { Mark } from './journey.js';
import type { JudgedJourney } from './judge.js';
import { leftOutWithin } from './left-out-counts.js';
import { countWhile } from './moment.js';
import { type Absence, type Asked, holeInRequests, neighboursOf, undecidedAbsence } from './question.js';
import type { RollCall } from './roll-calls.js';

/** `never`: what is to be said where the group was not empty. */
export function sentToNobody(asked: Asked, never: Absence, material: Material): Absence {
  const { index, evidence } = material;
  const { before, after, span } = neighboursOf(asked, index, evidence);
  const sent = [before, after].map((count) => (count === undefined ? [] : index.find(asked.sender, count)));
  const groups = new Set(sent.flatMap((message) => groupOf(message, evidence) ?? []));
  const calls = [...groups].flatMap((group) => evidence.rollCalls.empty(group, span.fromUs, span.toUs));
  const [call] = calls;
  if (!call) return withoutEmptyCall([...groups], span, never, evidence);
  const empty = `${named(call)}, after the sender's count ${before}${after === undefined ? '' : ` and before ${after}`}`;
  const unfollowed = after === undefined ? asked.count - (before ?? asked.count) : 0;
  const others = unfollowed + leftOutWithin(span, index) + announcements(call.group, span, evidence);
  if (calls.length < others) {
    const because = `${never.because}; it may have been sent to an empty group (${empty}), but ${calls.length === 1 ? 'one such roll call is' : `${calls.length} such roll calls are`} too few for all that may have been sent then`;
    // Beyond the sender's last count nothing says that it was sent at all.
    return after === undefined
      ? { ...never, because }
      : undecidedAbsence(because, ['never-sent', 'not-a-member']);
  }
  return nobodyThere(asked, call, empty, material);
}

/** No roll call is known to have found nobody; of one whose reply is missing it is not known. */
function withoutEmptyCall(
  groups: readonly string[],
  { fromUs, toUs }: Span,
  never: Absence,
  { rollCalls }: Evidence,
): Absence {
  const [open] = groups.flatMap((group) => rollCalls.openIn(group, fromUs, toUs) ?? []);
  if (!open) return never;
  return undecidedAbsence(
    `${never.because}; but operation ${open.id} asked who is in the group then, and its reply is not known: there may have been nobody`,
    ['never-sent', 'not-a-member'],
  );
}

/** `empty`: a clause on the roll call. Innocent where all who missed it came later. */
function nobodyThere(asked: Asked, call: RollCall, empty: string, material: Material): Absence {
  const reasons = reasonsOf(asked, call, material);
  const why = foremost(reasons);
  const late = reasons.length > 0 && reasons.every(({ reason }) => reason === 'late');
  const innocent = late && reasons.length === asked.reports.length;
  const hole = innocent && holeInRequests({ fromUs: 0, toUs: call.mark.requestedUs }, material.evidence);
  if (hole)
    return undecidedAbsence(`${empty}; ${why?.because}, but ${holeText(hole)}`, [
      'recipients-left',
      'not-a-member',
    ]);
  return {
    verdict: innocent ? 'recipients-left' : 'not-addressed',
    cause: innocent ? null : 'not-a-member',
    because: `no operation carries it, because there was nobody to send it to: ${empty}${why ? `; ${why.because}` : ''}`,
    group: call.group,
    cites: [{ role: 'roll-call', id: call.mark.id, key: call.group }, ...(why?.cites ?? [])],
  };
}

function groupOf(message: readonly JudgedJourney[], evidence: Evidence): string | undefined {
  const [enqueue] = message[0]?.journey.enqueues ?? [];
  return enqueue && rollCallOf(enqueue, message, evidence)?.group;
}

/** Why those who missed it, as far as their channels are known, were not in the group. */
function reasonsOf({ reports }: Asked, call: RollCall, { clients, evidence }: Material): Absent[] {
  return reports.flatMap((report) => {
    const known = clients.of(report);
    return (known.known && absentFrom(call, known.channels, clients, evidence)) || [];
  });
}

const ANNOUNCING = new WeakMap<Evidence, ReadonlySet<string>>();

/** Groups to which messages without a count were sent. */
function announcing(evidence: Evidence): ReadonlySet<string> {
  let groups = ANNOUNCING.get(evidence);
  if (!groups) {
    const uncounted = evidence.journeys.journeys.filter(({ payload }) => payload.count === null);
    groups = new Set(uncounted.flatMap(({ payload }) => evidence.groupOf(payload.recipients) ?? []));
    ANNOUNCING.set(evidence, groups);
  }
  return groups;
}

/** How many messages without a count may have been sent to the group: none where none ever was. */
function announcements(group: string, { fromUs, toUs }: Span, evidence: Evidence): number {
  const history = evidence.rollCalls.group(group);
  if (!history || !announcing(evidence).has(group)) return 0;
  const within = (changes: readonly { readonly mark: Mark }[]): number =>
    countWhile(changes, ({ mark }) => mark.requestedUs <= toUs) -
    countWhile(changes, ({ mark }) => mark.requestedUs < fromUs);
  return within(history.joins) + within(history.leaves);
}
