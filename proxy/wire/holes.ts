/** The holes of one connection: those that are final when they are found, and one for each direction that was given up. */
import type { Direction, Hole } from './operation.js';

export interface HoleSink {
  nextHoleId(): number;
  /** Final: it does not grow any more. */
  hole(hole: Hole): void;
}

export interface Gap {
  readonly direction: Direction;
  /** Offset in that direction's stream. */
  readonly offset: number;
  readonly bytes: number;
  readonly fromUs: number;
  readonly reason: string;
  readonly detail: string;
}

/** Plain data: survives v8.serialize. */
export interface HolesState {
  readonly client: Hole | null;
  readonly redis: Hole | null;
}

export class Holes {
  /** Set from when on the direction is opaque; grows to the connection's end. */
  client: Hole | null = null;
  redis: Hole | null = null;
  private readonly sink: HoleSink;

  constructor(sink: HoleSink, saved?: HolesState) {
    this.sink = sink;
    this.client = saved?.client ?? null;
    this.redis = saved?.redis ?? null;
  }

  /** From the gap on its direction is opaque. */
  open(gap: Gap): Hole {
    const hole = { id: this.sink.nextHoleId(), ...gap, toUs: null };
    this[gap.direction] = hole;
    return hole;
  }

  /** A gap that ends at `toUs`. */
  closed(gap: Gap, toUs: number): void {
    this.sink.hole({ id: this.sink.nextHoleId(), ...gap, toUs });
  }

  /** The rest of a frame of `length` bytes at `offset`, of which `kept` bytes were kept. */
  cut(direction: Direction, offset: number, length: number, kept: number, atUs: number): void {
    const bytes = length - kept;
    if (bytes <= 0) return;
    const detail = `${length} bytes long, of which ${kept} were kept`;
    this.closed({ direction, offset: offset + kept, bytes, fromUs: atUs, reason: 'cut', detail }, atUs);
  }

  /** Those that still grow. */
  growing(): readonly Hole[] {
    return [this.client, this.redis].filter((hole) => hole !== null);
  }

  save(): HolesState {
    return { client: this.client, redis: this.redis };
  }
}
