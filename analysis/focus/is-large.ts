/** Whether parts of a trace are looked at, or all of it: of several traces, and of single applications in one, all of it is. */
import type { Trace } from '../../proxy/trace/trace.js';
import { SeveralTraces } from '../several-traces.js';

/** Below this the whole trace is read in seconds. */
const LARGE_FROM = 100_000;

/** `from`: so many operations are large. */
export function isLarge(trace: Trace, prefixes: readonly string[], from = LARGE_FROM): boolean {
  if (trace instanceof SeveralTraces || prefixes.length > 0) return false;
  return trace.idAt(Number.POSITIVE_INFINITY) - trace.idAt(Number.NEGATIVE_INFINITY) >= from;
}
