/** One message in the queue of one process. */

/** A consumer it is for. */
export interface Recipient {
  readonly channel: string;
  /** When it left its group; infinite while it is there. */
  readonly leftUs: number;
}

export interface Message {
  /** The member as a bulk string of RESP, and so its score. */
  readonly member: Buffer;
  readonly score: Buffer;
  /** The second at which it was sent, by the sender's clock. */
  readonly sentS: number;
  readonly sender: string | null;
  readonly count: number | null;
  readonly room: string;
  readonly recipients: readonly Recipient[];
  /** When the poll that took it was sent, the last one. */
  polledUs: number;
  pops: number;
}
