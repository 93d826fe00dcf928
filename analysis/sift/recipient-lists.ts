/** The lists of recipients that messages have, each kept once and known by its number: most messages are for the same few. */
import { decodeMember, recipientsOf, recipientsSpan } from '../../server/layers/message.js';

/** Of a message that does not say whom it is for. */
export const NOBODY_NAMED = -1;

export class RecipientLists {
  readonly #lists: (readonly string[])[] = [];
  readonly #numbers = new Map<string, number>();
  /** As members have them. */
  readonly #written = new Map<string, number>();

  /** Of whom a member of a queue names; or NOBODY_NAMED. */
  numberOf(member: Buffer): number {
    const span = recipientsSpan(member);
    const written = span && member.toString('latin1', ...span);
    const known = written === null ? undefined : this.#written.get(written);
    if (known !== undefined) return known;
    const decoded = decodeMember(member);
    const recipients = decoded.ok ? recipientsOf(decoded.message) : null;
    if (recipients === null) return NOBODY_NAMED;
    const number = this.#numberOf(recipients);
    if (written !== null) this.#written.set(written, number);
    return number;
  }

  #numberOf(recipients: readonly string[]): number {
    const key = recipients.join('\n');
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#lists.length;
      this.#lists.push(recipients);
      this.#numbers.set(key, number);
    }
    return number;
  }

  of(number: number): readonly string[] | null {
    return this.#lists[number] ?? null;
  }
}
