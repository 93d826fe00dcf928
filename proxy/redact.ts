/**
 * What never reaches the disk: passwords in requests. A Redactor sees one connection's client bytes before anybody
 * stores them and gives them back with the secrets blanked, same offsets and same lengths.
 */

export interface Redacted {
  /** Safe to store now; the next bytes of the stream, in order. The chunk itself where nothing had to be changed or held. */
  readonly bytes: Buffer;
  /** How many bytes of secrets were blanked in `bytes`. */
  readonly redactedBytes: number;
  /**
   * Set from the call on in which framing failed: bytes of this call that are not given back, at `offset` of the client's
   * stream. They must be counted (a `dropped` record with `reason` and `fromClient: bytes`) and not kept.
   */
  readonly refused: { readonly offset: number; readonly bytes: number; readonly reason: string } | null;
  /** This call made `repliesWithheld` true. */
  readonly withholdReplies: boolean;
}

/** Plain data, for v8.serialize or structuredClone. */
export interface RedactorState {
  readonly version: 1;
}

export class Redactor {
  static restore(_state: RedactorState): Redactor {
    return new Redactor();
  }
  /** Bytes taken in and not yet given back. They come with a later call, or never if the connection ends before. */
  get held(): number {
    return 0;
  }
  /**
   * A request was seen whose reply may hold a secret (`CONFIG GET requirepass`, `ACL GETUSER`): keep no byte from Redis on this
   * connection from then to its end; count them (a `dropped` record with reason `withheld`).
   */
  get repliesWithheld(): boolean {
    return false;
  }
  push(chunk: Buffer): Redacted {
    return { bytes: chunk, redactedBytes: 0, refused: null, withholdReplies: false };
  }
  /** The connection ended: what was still held is blanked entirely (framing too) and only counted. */
  end(): { readonly offset: number; readonly bytes: number } | null {
    return null;
  }
  save(): RedactorState {
    return { version: 1 };
  }
}
