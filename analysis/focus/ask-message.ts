/**
 * The question for one message of a large trace: from the index beside it and the part that matters, where these are enough; else as for
 * any other question, from the whole trace. The answer is the same.
 */
import type { Trace } from '../../proxy/trace/trace.js';
import { type Analysis, analyze, analyzeFocused } from '../analyze.js';
import { DEFAULT_FIELDS, type PayloadFields } from '../payload.js';
import { isLarge } from './is-large.js';
import { ReadOperations } from './read-operations.js';
import { type Progress, StoredIndex } from './stored-index.js';

export interface AskOptions {
  readonly fields?: PayloadFields;
  /** Of which applications; none: of all. */
  readonly prefixes?: readonly string[];
  /** From so many operations on an index is kept beside the trace. */
  readonly indexFrom?: number;
  /** Called while the index is made. */
  readonly progress?: Progress;
}

/** Throws what `analyze` does. */
export function analyzeMessage(
  trace: Trace,
  message: { readonly sender: string; readonly count: number },
  options: AskOptions = {},
): Analysis {
  const { fields = DEFAULT_FIELDS, prefixes = [] } = options;
  const { sender, count } = message;
  return (
    focused(trace, message, options) ?? analyze(trace, { ask: 'message', sender, count }, fields, prefixes)
  );
}

function focused(
  trace: Trace,
  { sender, count }: { readonly sender: string; readonly count: number },
  { fields = DEFAULT_FIELDS, prefixes = [], indexFrom, progress }: AskOptions,
): Analysis | null {
  if (!isLarge(trace, prefixes, indexFrom)) return null;
  const index = StoredIndex.open(trace, fields, progress);
  try {
    return trace.snapshot(() => {
      index.survey(trace, fields);
      const operations = index.operationCount(trace);
      const read = new ReadOperations(trace);
      return analyzeFocused(sender, count, { trace, read, index, fields, operations });
    });
  } finally {
    index.close();
  }
}
