/**
 * The account of a swarm, room by room: what its clients sent, and what those that stay received of it. Pure.
 *
 * A swarm knows more than its clients: who was in a room when a message was sent. A gap is what a client can see by itself: a
 * count missing between two that came. A message that was addressed to a client and is no gap, because nothing of that sender
 * came before it or after it, is `unheard`. That is no proof: the sender left at once, and the
 * server need not have read its last words.
 */
import type { GapReport } from './gap-report.js';
import type { Absurd, GapWatch } from './gap-watch.js';
import type { Arrival } from './ledger.js';

export interface Counts {
  /** Messages that the swarm's clients sent. */
  readonly sent: number;
  /** Deliveries that should follow: each message to each client that stays in its room, except its sender. */
  readonly addressed: number;
  /** Messages that the staying clients received, with repeats and those of strangers in the room. */
  readonly received: number;
  /** Ranges of counts that a client missed. */
  readonly gaps: number;
  /** Deliveries that did not happen: the counts in those ranges. */
  readonly missed: number;
  /** Different messages among them: one message may be missed by several clients. */
  readonly lost: number;
  /** Clients that missed something. */
  readonly hit: number;
  readonly duplicates: number;
  /** Messages that came after a later one of their sender. */
  readonly reorderings: number;
  /** Counts missing in the last moments, when it was too early to call them lost. */
  readonly undecided: number;
  /** Deliveries that did not happen, before the first or after the last one that a client received of a sender. */
  readonly unheard: number;
}

export interface RoomCounts extends Counts {
  readonly room: string;
}

/** One client that stays, and what it should have heard. */
export interface Member {
  readonly id: string;
  readonly watch: GapWatch;
  /** By sender: the first count sent while it was there, and how many from there on it has received. */
  readonly hears: Map<string, { readonly from: number; heard: number }>;
}

interface RoomAccount {
  sent: number;
  readonly members: Member[];
  readonly lastSent: Map<string, number>;
}

export class Tally {
  readonly #rooms = new Map<string, RoomAccount>();
  #outstanding = 0;

  constructor(rooms: readonly string[]) {
    for (const room of rooms) this.#rooms.set(room, { sent: 0, members: [], lastSent: new Map() });
  }

  /** Deliveries that should still follow. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** A client that stays has joined: from now on it should hear what is sent. */
  joined(room: string, id: string, watch: GapWatch): Member {
    const member: Member = { id, watch, hears: new Map() };
    this.#account(room).members.push(member);
    return member;
  }

  sent(room: string, sender: string, count: number): void {
    const account = this.#account(room);
    account.sent++;
    account.lastSent.set(sender, count);
    for (const { id, hears } of account.members) {
      if (id === sender) continue;
      if (!hears.has(sender)) hears.set(sender, { from: count, heard: 0 });
      this.#outstanding++;
    }
  }

  /** Enters a message that a member received. True: one that was still to come. */
  received(member: Member, sender: string, count: number, nowMs: number): boolean {
    const arrival: Arrival<number> | Absurd = member.watch.receive(sender, count, nowMs);
    const pair = member.hears.get(sender);
    if (pair === undefined || count < pair.from) return false;
    if (!['first', 'next', 'gap', 'late'].includes(arrival.kind)) return false;
    pair.heard++;
    this.#outstanding--;
    return true;
  }

  /** The account by room, in the order in which they were given. */
  rooms(nowMs: number): RoomCounts[] {
    return [...this.#rooms].map(([room, account]) => ({ room, ...countsOf(account, nowMs) }));
  }

  /** What was lost, as the clients would report it. */
  gaps(nowMs: number): GapReport[] {
    return [...this.#rooms.values()].flatMap(({ members }) =>
      members.flatMap(({ watch }) => watch.judge(nowMs).lost),
    );
  }

  #account(room: string): RoomAccount {
    const account = this.#rooms.get(room);
    if (account === undefined) throw new Error(`there is no room ${room} in this swarm`);
    return account;
  }
}

function countsOf({ sent, members, lastSent }: RoomAccount, nowMs: number): Counts {
  const judged = members.map((member) => ({ ...member, ...member.watch.judge(nowMs) }));
  const lost = judged.flatMap((member) => member.lost);
  return {
    sent,
    addressed: sum(judged, ({ hears }) =>
      sum([...hears], ([sender, { from }]) => addressed(lastSent, sender, from)),
    ),
    received: sum(judged, ({ watch }) => watch.received),
    gaps: lost.length,
    missed: sum(lost, ({ missing }) => missing.length),
    lost: new Set(lost.flatMap(({ sender, missing }) => missing.map((count) => `${sender} ${count}`))).size,
    hit: judged.filter((member) => member.lost.length > 0).length,
    duplicates: sum(judged, ({ watch }) => watch.duplicates),
    reorderings: sum(judged, ({ watch }) => watch.reorderings),
    undecided: sum(judged, ({ undecided }) => sum(undecided, ({ missing }) => missing.length)),
    unheard: sum(judged, (member) => unheard(member, lastSent)),
  };
}

function unheard({ watch, hears }: Member, lastSent: ReadonlyMap<string, number>): number {
  return sum([...hears], ([sender, { from, heard }]) => {
    const missing = watch.missingWithin(sender, from, lastSent.get(sender) ?? from);
    return addressed(lastSent, sender, from) - heard - missing;
  });
}

function addressed(lastSent: ReadonlyMap<string, number>, sender: string, from: number): number {
  return (lastSent.get(sender) ?? from) - from + 1;
}

/** The rooms together. */
export function total(rooms: readonly Counts[]): Counts {
  const over = (field: keyof Counts): number => sum(rooms, (room) => room[field]);
  return {
    ...{ sent: over('sent'), addressed: over('addressed'), received: over('received') },
    ...{ gaps: over('gaps'), missed: over('missed'), lost: over('lost'), hit: over('hit') },
    ...{ duplicates: over('duplicates'), reorderings: over('reorderings') },
    ...{ undecided: over('undecided'), unheard: over('unheard') },
  };
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
