/** A group: who is in it, in the order in which they came, and what is said with its name. */
import { groupKey } from '../server/layers/commands.js';
import type { ChatProcess } from './chat-process.js';
import { arrayOf, recipientsPart, request, SecondsFrame } from './frames.js';
import type { Recipient } from './message.js';
import { GROUP_EXPIRY_S, PREFIX } from './world.js';

export interface Member extends Recipient {
  readonly process: ChatProcess;
}

/** The members in one process. */
export interface Parcel {
  readonly process: ChatProcess;
  readonly recipients: readonly Member[];
  /** Their names, as a member ends with them. */
  readonly names: Buffer;
}

/** Who was in the group at a moment. */
export interface Roll {
  /** The reply to ZRANGE. */
  readonly reply: Buffer;
  readonly parcels: readonly Parcel[];
}

export class Room {
  readonly key: string;
  readonly frames;
  /** Between two messages of one of its members. */
  readonly everyUs: number;
  readonly #members = new Set<Member>();
  #roll: Roll | null = null;
  /** Drops members that are too old. There never are any. */
  readonly trim: SecondsFrame;

  constructor(
    readonly name: string,
    /** Where its members are, but for those that come and go. */
    readonly processes: readonly ChatProcess[],
    everyUs: number,
  ) {
    this.everyUs = everyUs;
    this.key = groupKey(PREFIX, `channels_group_${name}`);
    const { key } = this;
    this.trim = new SecondsFrame((second) =>
      request('ZREMRANGEBYSCORE', key, '0', String(second - GROUP_EXPIRY_S)),
    );
    this.frames = {
      expire: request('EXPIRE', this.key, String(GROUP_EXPIRY_S)),
      members: request('ZRANGE', this.key, '0', '-1'),
    };
  }

  join(member: Member): void {
    this.#members.add(member);
    this.#roll = null;
  }

  leave(member: Member): void {
    this.#members.delete(member);
    this.#roll = null;
  }

  get roll(): Roll {
    this.#roll ??= rollOf([...this.#members]);
    return this.#roll;
  }
}

function rollOf(members: readonly Member[]): Roll {
  const parts = new Map<ChatProcess, Member[]>();
  for (const member of members) {
    const part = parts.get(member.process);
    if (part) part.push(member);
    else parts.set(member.process, [member]);
  }
  return {
    reply: arrayOf(members.map(({ channel }) => channel)),
    parcels: [...parts].map(([process, recipients]) => ({
      process,
      recipients,
      names: recipientsPart(recipients.map(({ channel }) => channel)),
    })),
  };
}
