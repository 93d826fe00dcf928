/**
 * gaptrace as a library, for people's own tests and tools: a trace in, typed findings out; what `analyze-gap --json` and `gaptrace audit --json` print.
 *
 * ```ts
 * import { analyzeGap, openTrace } from 'gaptrace';
 *
 * const trace = openTrace('gaptrace.db');
 * const { findings } = await analyzeGap(trace, { sender: '73cf256d', count: 72 });
 * console.log(findings[0]?.verdict, findings[0]?.explanation);
 * trace.close();
 * ```
 *
 * What goes wrong for a reason outside gaptrace is a `GaptraceError` with a stable `code` (docs/errors.md). Times are microseconds since
 * the trace's start. Within `schema: 1` fields may be added; none changes its meaning.
 */
export type { Analysis } from './analysis/analyze.js';
export {
  type AnalyzeOptions,
  analyzeGap,
  audit,
  type Gaps,
  type Message,
  type ReportedGap,
} from './analysis/ask.js';
export type { Audit } from './analysis/audit.js';
export type { Finding, FindingEvent, FindingOperation } from './analysis/finding.js';
export { isLoss, type Verdict } from './analysis/verdict.js';
export { openTrace } from './proxy/trace/open.js';
export type { Trace } from './proxy/trace/trace.js';
export { GaptraceError } from './terminal/errors.js';
