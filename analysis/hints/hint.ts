/**
 * A hint: something in a trace that loses nothing yet, or is not what lost this message, and that an operator should know of. One
 * file each, registered in hints/index.ts. A hint accuses nobody: it says what was seen, what it may lead to, and what to look
 * at; and like a cause it stays silent where a hole could make the difference.
 */
import type { Trace } from '../../proxy/trace/trace.js';
import type { Conduct, Evidence } from '../evidence.js';
import type { FindingOperation } from '../finding.js';
import type { Mark, QueueHistory } from '../journey.js';
import type { Clock } from './clocks.js';
import type { Filling } from './filling.js';
import type { UnpolledSpan } from './unpolled.js';

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
  /** How a connection was used. Read when asked for. */
  conduct(connection: number): Conduct;
  /** When nobody asked for a queue's messages though some waited. */
  unpolled(): readonly UnpolledSpan[];
  /** Of each connection that sends, its clock. */
  clocks(): Iterable<Clock>;
  /** When a queue held the most; null where that, or its capacity, is not known. */
  fullest(queue: QueueHistory): Filling | null;
  /** Did this poll bring a message? */
  brought(poll: Mark): boolean;
}

export interface HintKind {
  readonly id: string;
  readonly advice: string;
  /** One for each thing seen. */
  look(material: HintMaterial): Omit<Hint, 'hint' | 'advice'>[];
}
