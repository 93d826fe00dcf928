/**
 * What a connection is subscribed to, learnt from Redis' confirmations as they stand between the other replies. So at any
 * place of the reply stream it is exactly what Redis held when it wrote that place.
 */
export type SubscriptionKind = 'channel' | 'pattern' | 'shard';

/** Plain data: survives v8.serialize. */
export type SubscriptionsState = Readonly<Record<SubscriptionKind, readonly string[]>>;

const KIND_OF_WORD: Readonly<Record<string, SubscriptionKind | undefined>> = {
  __proto__: null as never,
  subscribe: 'channel',
  unsubscribe: 'channel',
  psubscribe: 'pattern',
  punsubscribe: 'pattern',
  ssubscribe: 'shard',
  sunsubscribe: 'shard',
};

/** Is this the first word of a confirmation? */
export const isConfirmation = (word: string) => KIND_OF_WORD[word] !== undefined;

export class Subscriptions {
  private readonly names: Record<SubscriptionKind, Set<string>>;

  constructor(state: SubscriptionsState = { channel: [], pattern: [], shard: [] }) {
    this.names = {
      channel: new Set(state.channel),
      pattern: new Set(state.pattern),
      shard: new Set(state.shard),
    };
  }

  /** Subscribed to anything: in RESP2 few commands are allowed then, and messages may come. */
  get any(): boolean {
    const { channel, pattern, shard } = this.names;
    return channel.size + pattern.size + shard.size > 0;
  }

  /** How many names `unsubscribe` (or its siblings) without arguments will confirm. */
  count(word: string): number {
    const kind = KIND_OF_WORD[word];
    return kind === undefined ? 0 : this.names[kind].size;
  }

  has(word: string, name: Buffer): boolean {
    const kind = KIND_OF_WORD[word];
    return kind !== undefined && this.names[kind].has(name.toString('latin1'));
  }

  /** A confirmation came. `name` is null where there was nothing to unsubscribe from. */
  confirm(word: string, name: Buffer | null): void {
    const kind = KIND_OF_WORD[word];
    if (kind === undefined || name === null) return;
    if (word === 'unsubscribe' || word === 'punsubscribe' || word === 'sunsubscribe') {
      this.names[kind].delete(name.toString('latin1'));
    } else {
      this.names[kind].add(name.toString('latin1'));
    }
  }

  clear(): void {
    for (const names of Object.values(this.names)) names.clear();
  }

  save(): SubscriptionsState {
    return {
      channel: [...this.names.channel],
      pattern: [...this.names.pattern],
      shard: [...this.names.shard],
    };
  }
}
