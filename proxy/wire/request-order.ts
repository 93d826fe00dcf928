/**
 * What the requests alone say, before any reply: which MULTI a request stands under, and whether the client expects an answer
 * to it. Replies may prove it wrong (a MULTI that was refused); Session knows better once they have come.
 */
import { replyMode, type SessionRequest } from './session.js';

/** Plain data: survives v8.serialize. */
export interface RequestOrderState {
  multi: number | null;
  off: boolean;
  skip: boolean;
}

export class RequestOrder {
  private readonly state: RequestOrderState;

  constructor(saved: RequestOrderState = { multi: null, off: false, skip: false }) {
    this.state = { ...saved };
  }

  /** Nothing open: a plain request stands under no MULTI and is answered. */
  get plain(): boolean {
    return this.state.multi === null && !this.state.off && !this.state.skip;
  }

  /** The next request of the connection. Returns the MULTI it stands under and whether an answer is expected. */
  next(request: SessionRequest): { readonly transaction: number | null; readonly expects: boolean } {
    const { state } = this;
    let transaction = state.multi;
    let expects = !state.off && !state.skip;
    const mode = transaction === null ? replyMode(request) : null;
    state.skip = mode === 'SKIP';
    if (mode !== null) {
      state.off = mode === 'OFF' || (mode === 'SKIP' && state.off);
      expects = mode === 'ON';
    }
    if (request.role === 'multi' && transaction === null) {
      state.multi = request.sequence;
      transaction = request.sequence;
    }
    if (request.role === 'exec' || request.role === 'discard' || request.role === 'quit') state.multi = null;
    if (request.role === 'reset') {
      state.multi = null;
      state.off = false;
      expects = true;
    }
    return { transaction, expects };
  }

  /** An empty request: it takes CLIENT REPLY SKIP's place. */
  empty(): void {
    this.state.skip = false;
  }

  /** The MULTI with this sequence was refused. */
  refused(sequence: number): void {
    if (this.state.multi === sequence) this.state.multi = null;
  }

  save(): RequestOrderState {
    return { ...this.state };
  }
}
