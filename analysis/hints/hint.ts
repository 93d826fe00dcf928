/**
 * A hint: something in a trace that loses nothing yet, or is not what lost this message, and that an operator should know of. One
 * file each, registered in hints/index.ts. A hint accuses nobody: it says what was seen, what it may lead to, and what to look
 * at; and like a cause it stays silent where a hole could make the difference.
 */
import type { Trace } from '../../proxy/trace/trace.js';
import type { Conduct, Evidence } from '../evidence.js';
import type { FindingOperation } from '../finding.js';
import type { Judgement } from '../judgement.js';

export interface Hint {
  readonly hint: string;
  /** What was seen: sentences with times, operations and connections by number. */
  readonly seen: string;
  readonly advice: string;
  readonly operations: readonly FindingOperation[];
}

export interface HintMaterial {
  readonly trace: Pick<Trace, 'operation' | 'operations' | 'startedUnixUs'>;
  readonly evidence: Evidence;
  readonly judgements: readonly Judgement[];
  /** How a connection was used. Read when asked for. */
  conduct(connection: number): Conduct;
}

export interface HintKind {
  readonly id: string;
  readonly advice: string;
  /** One for each thing seen. */
  look(material: HintMaterial): Omit<Hint, 'hint' | 'advice'>[];
}
