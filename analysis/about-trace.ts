/** What a report says of the trace that it was made from. */
import type { Trace } from '../proxy/trace/trace.js';
import type { Evidence } from './evidence.js';

export interface AboutTrace {
  readonly path: string;
  readonly started_at: string;
  readonly duration_us: number;
  readonly operations: number;
  /** What is not in the trace or not understood; `redacted` secrets are counted apart, they hide nothing else. */
  readonly holes: number;
  readonly redacted: number;
  readonly live: boolean;
  readonly end_marker: boolean;
}

export function aboutTrace(trace: Trace, { holes }: Evidence): AboutTrace {
  const redacted = holes.filter(({ reason }) => reason === 'redacted').length;
  return {
    path: trace.path,
    started_at: new Date(trace.startedUnixUs / 1000).toISOString(),
    duration_us: trace.watermarkUs,
    operations: trace.operationCount(),
    holes: holes.length - redacted,
    redacted,
    live: trace.live,
    end_marker: trace.endMarker,
  };
}
