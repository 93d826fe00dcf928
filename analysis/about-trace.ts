/** What a report says of the trace that it was made from. */
import { RETENTION, type Trace } from '../proxy/trace/trace.js';
import { beginOf, type Evidence } from './evidence.js';
import { SeveralTraces } from './several-traces.js';

export interface AboutTrace {
  readonly path: string;
  /** ISO date of the trace's first moment, from which all `…_us` count. */
  readonly started_at: string;
  /** From when on it is whole: 0, or where the oldest was dropped (`--retain`), microseconds. */
  readonly retained_from_us: number;
  /** How far it goes, microseconds. */
  readonly duration_us: number;
  readonly operations: number;
  /** What is not in the trace or not understood; `redacted` secrets are counted apart, they hide nothing else. */
  readonly holes: number;
  readonly redacted: number;
  /** Is a proxy writing it? Then this is as far as it had come. */
  readonly live: boolean;
  /** False where it ended abruptly, or is live. */
  readonly end_marker: boolean;
  /** Where several traces were read as one: each of them. */
  readonly of?: readonly {
    readonly path: string;
    readonly started_at: string;
    readonly operations: number;
  }[];
}

/** `operations`: how many it has, where that is known without counting. */
export function aboutTrace(
  trace: Trace,
  evidence: Pick<Evidence, 'holes'>,
  operations = trace.operationCount(),
): AboutTrace {
  // That of what was dropped is told by where the trace begins.
  const holes = evidence.holes.filter(({ reason }) => reason !== RETENTION);
  const redacted = holes.filter(({ reason }) => reason === 'redacted').length;
  return {
    path: trace.path,
    started_at: startOf(trace),
    retained_from_us: beginOf(evidence.holes),
    duration_us: trace.watermarkUs,
    operations,
    holes: holes.length - redacted,
    redacted,
    live: trace.live,
    end_marker: trace.endMarker,
    ...(trace instanceof SeveralTraces ? { of: trace.traces.map(partOf) } : {}),
  };
}

function startOf(trace: Trace): string {
  return new Date(trace.startedUnixUs / 1000).toISOString();
}

function partOf(trace: Trace) {
  return { path: trace.path, started_at: startOf(trace), operations: trace.operationCount() };
}
