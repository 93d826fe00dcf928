/**
 * Whom a message was sent to, compared with who missed it. A finding speaks of a queue; a client that says it missed something wants to know
 * of its own. So the reports on one message are parted by the queue that was to bring it to them; clients to whom nothing was sent are told
 * that, and why; those whose channel is not known are answered by the message's fate in all queues, and told what is not known.
 */
import type { GapReport } from '../clients/gap-report.js';
import type { ClientChannels } from './client-channels.js';
import { holeText } from './ending.js';
import type { Evidence } from './evidence.js';
import { foremost, whyAbsent } from './group-absence.js';
import type { Mark } from './journey.js';
import type { JudgedJourney } from './judge.js';
import {
  type Absence,
  type Asked,
  holeInRequests,
  type MessageIndex,
  neighboursOf,
  undecidedAbsence,
} from './question.js';
import type { RollCall } from './roll-calls.js';

/** Clients with the same answer. */
export interface Addressees {
  readonly asked: Asked;
  /** The message in all its queues. */
  readonly found: readonly JudgedJourney[];
  /** The queues that were to bring it to them; empty where none was. */
  readonly queues: readonly JudgedJourney[];
  /** Their channels, as far as they are known; null: nothing says that they should have got it. */
  readonly channels: readonly string[] | null;
  /** Why nothing was sent to them. */
  readonly absence: Absence | null;
  /** Sentences on what is known, or not, of these clients. */
  readonly notes: readonly string[];
}

/** What is known when reports are answered. */
export interface Material {
  readonly index: MessageIndex<JudgedJourney>;
  readonly clients: ClientChannels;
  readonly evidence: Evidence;
}

/** The clients that missed a message which was sent to somebody, parted by what was to bring it to them. */
export function addresseesOf(
  asked: Asked,
  found: readonly JudgedJourney[],
  material: Material,
): Addressees[] {
  if (asked.reports.length === 0)
    return [{ asked, found, queues: found, channels: [], absence: null, notes: [] }];
  const parts = new Map<string, Addressees>();
  for (const report of asked.reports) {
    const part = addresseeOf(report, asked, found, material);
    const key = part.absence
      ? part.absence.because
      : `${part.channels === null} ${part.queues.map(({ queue }) => queue).join(' ')}`;
    const known = parts.get(key);
    parts.set(key, known ? together(known, part) : part);
  }
  return [...parts.values()];
}

function together(one: Addressees, other: Addressees): Addressees {
  return {
    ...one,
    asked: { ...one.asked, reportedBy: [...one.asked.reportedBy, ...other.asked.reportedBy] },
    channels: one.channels && [...one.channels, ...(other.channels ?? [])],
    notes: [...one.notes, ...other.notes],
  };
}

function addresseeOf(
  report: GapReport,
  all: Asked,
  found: readonly JudgedJourney[],
  material: Material,
): Addressees {
  const asked = { ...all, reportedBy: [report.client], reports: [report] };
  const part = { asked, found, queues: found, channels: [], absence: null, notes: [] };
  const known = material.clients.of(report);
  if (!known.known)
    return {
      ...part,
      notes: [
        `Which channel was ${report.client}'s is not known (${known.why}), so neither is whether this message was sent there at all.`,
      ],
    };
  const { channels } = known;
  if (found.some(({ payload }) => payload.recipients === null)) return { ...part, channels };
  const [placed, misplaced] = [found.filter(isPlaced), found.filter((one) => !isPlaced(one))];
  const queues = placed.filter(({ payload }) => payload.recipients?.some((one) => channels.includes(one)));
  if (queues.length > 0) return { ...part, queues, channels };
  if (misplaced.length > 0) return { ...part, queues: misplaced, channels };
  const absence = outsideOf(channels, asked, found, material);
  if (absence.verdict !== 'recipients-left') return { ...part, queues: [], channels, absence };
  return { ...part, channels: null, notes: [`${report.client} came later: ${absence.because}.`] };
}

function isPlaced({ ending }: JudgedJourney): boolean {
  return ending.at !== 'misplaced';
}

/** Why none of a client's channels is among the recipients. `recipients-left`: it was not there yet, and nobody owes it the message. */
function outsideOf(
  channels: readonly string[],
  asked: Asked,
  found: readonly JudgedJourney[],
  { index, clients, evidence }: Material,
): Absence {
  const enqueues = found.flatMap(({ journey }) => journey.enqueues);
  const [enqueue] = enqueues;
  const none = `none of its recipients is the client's channel (${channels.join(', ')})`;
  const { before: previous, span } = neighboursOf(asked, index, evidence);
  const fromUs = previous === undefined ? (enqueue?.requestedUs ?? 0) : span.fromUs;
  const hole = holeInRequests({ ...span, fromUs }, evidence);
  if (!enqueue || hole)
    return undecidedAbsence(hole ? `${none}, but ${holeText(hole)}` : none, ['not-a-member']);
  if (enqueues.every(({ by }) => by === 'send'))
    return {
      ...{ verdict: 'not-addressed', cause: null },
      because: `${none}: it was sent to one channel (operation ${enqueue.id}), not to a group`,
    };
  const call = rollCallOf(enqueue, found, evidence);
  if (!call)
    return undecidedAbsence(
      `${none}, and no ZRANGE that named just its recipients is in the trace: others may be on another host`,
      ['not-a-member'],
    );
  return leftOutOf(call, channels, enqueue, { index, clients, evidence });
}

/** The roll call named others only. */
function leftOutOf(
  call: RollCall,
  channels: readonly string[],
  enqueue: Mark,
  { clients, evidence }: Material,
): Absence {
  const absent = absentFrom(call, channels, clients, evidence);
  const late = absent?.reason === 'late';
  const before = late && holeInRequests({ fromUs: 0, toUs: call.mark.requestedUs }, evidence);
  if (before)
    return undecidedAbsence(
      `${absent.because}; whether it had been heard of before is not known: ${holeText(before)}`,
      ['not-a-member', 'recipients-left'],
    );
  return {
    verdict: late ? 'recipients-left' : 'not-addressed',
    cause: late ? null : 'not-a-member',
    because: `${named(call)}, and ${channels.join(' and ')} was not among them: ${absent?.because}`,
    group: call.group,
    cites: [
      { role: 'roll-call', id: call.mark.id, key: call.group },
      { role: 'enqueue', id: enqueue.id, key: enqueue.key },
      ...(absent?.cites ?? []),
    ],
  };
}

export function named({ group, channels, mark }: RollCall): string {
  return `operation ${mark.id} asked who is in group ${group}, and Redis named ${channels.size === 0 ? 'nobody' : `${channels.size}`}`;
}

/** Why a client's channels were not in a roll call. */
export function absentFrom(
  call: RollCall,
  channels: readonly string[],
  clients: ClientChannels,
  evidence: Evidence,
) {
  const group = evidence.rollCalls.group(call.group);
  return foremost(
    channels.flatMap((channel) =>
      group ? [whyAbsent(channel, call, group, clients.spokeBefore(channel, call.mark.requestedUs))] : [],
    ),
  );
}

/** Of an enqueue, by the recipients that its members name; or, with several hosts, those of all the message's members. */
export function rollCallOf(
  enqueue: Mark,
  found: readonly JudgedJourney[],
  evidence: Evidence,
): RollCall | null {
  const sent = found.filter(({ journey }) => journey.enqueues.some(({ id }) => id === enqueue.id));
  return (
    evidence.rollCalls.of(enqueue, recipientsOf(sent)) ?? evidence.rollCalls.of(enqueue, recipientsOf(found))
  );
}

function recipientsOf(found: readonly JudgedJourney[]): ReadonlySet<string> {
  return new Set(found.flatMap(({ payload }) => payload.recipients ?? []));
}
