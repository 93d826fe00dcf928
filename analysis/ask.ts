/** What other programs ask of a trace (index.ts): the question in the words of a caller, the answer typed. */
import { type ClientLog, readGapReports } from '../clients/gap-report.js';
import type { Trace } from '../proxy/trace/trace.js';
import { readLines } from '../terminal/lines.js';
import { type Analysis, analyze } from './analyze.js';
import { type Audit, audit as auditOf } from './audit.js';
import { analyzeMessage } from './focus/ask-message.js';
import { DEFAULT_FIELDS, type PayloadFields } from './payload.js';

/** One message: the id of its sender, and its count there. */
export interface Message {
  readonly sender: string;
  readonly count: number;
}

/** What clients missed. */
export interface Gaps {
  /**
   * The path of a file of gap reports, or of a client's log from which the gaps are worked out (NDJSON, plain or gzip; README.md has the
   * formats); or the reports themselves.
   */
  readonly gaps: string | readonly ReportedGap[];
}

/** Counts that one client missed from one sender. */
export interface ReportedGap {
  /** Who missed them. */
  readonly client: string;
  readonly room: string;
  readonly sender: string;
  /** The first count that is missing. */
  readonly expected: number;
  /** The next count that came. */
  readonly received: number;
  /** All that are missing; without it, all from `expected` up to and not including `received`. */
  readonly missing?: readonly number[];
  /** When the client noticed, an ISO date. Tells a gap of another run from one of this trace. */
  readonly at?: string;
}

export interface AnalyzeOptions {
  /** Where a payload names its sender: dots descend, also into JSON in a string. `text_data.my_id` by default. */
  readonly senderField?: string;
  /** Where it holds its count. `text_data.count` by default. */
  readonly countField?: string;
  /** Where it names its sender's channel, by which a client's channel is known. `sender_channel_name` by default. */
  readonly channelField?: string;
  /** Of several applications on one Redis: the `prefix` of the channel layer, or of several, that is judged. All, by default. */
  readonly prefix?: string | readonly string[];
}

/**
 * Says what became of a message, or of all that clients missed; without a question, of every message in the trace that was lost or
 * is undecided. On a trace that is still being written: as far as it has come.
 *
 * Reads the whole trace at each call; memory grows with the number of messages in it. But for one message of a trace of 100,000 operations or
 * more, which makes an index beside it once (`<trace>-messages`, which may be removed) and then reads what matters.
 *
 * @param trace - from `openTrace`, not yet closed.
 * @returns the verdict on each message asked about, with the operations it rests on (`findings`), and how many messages got
 *   which verdict (`summary`).
 * @throws GaptraceError (as a rejection) GAPTRACE_SENDER where the trace knows none of the senders; GAPTRACE_PREFIX where it has nothing of a prefix; GAPTRACE_GAPS where a report or a
 *   line cannot be understood (it is named); GAPTRACE_INPUT where the file cannot be read.
 */
export async function analyzeGap(
  trace: Trace,
  question?: Message | Gaps,
  options: AnalyzeOptions = {},
): Promise<Analysis> {
  const fields = fieldsOf(options);
  const prefixes = prefixesOf(options);
  if (!question) return analyze(trace, { ask: 'losses' }, fields, prefixes);
  if ('gaps' in question)
    return analyze(trace, { ask: 'gaps', log: await logOf(question) }, fields, prefixes);
  return analyzeMessage(trace, question, { fields, prefixes });
}

/**
 * The fate of every message in every queue, counted and clustered, with hints beyond losses: what `gaptrace audit --json` prints.
 *
 * Reads the whole trace; on one that is still being written: as far as it has come.
 *
 * @param trace - from `openTrace`, not yet closed.
 * @throws GaptraceError GAPTRACE_PREFIX where the trace has nothing of a prefix.
 */
export function audit(trace: Trace, options: AnalyzeOptions = {}): Audit {
  return trace.snapshot(() => auditOf(trace, fieldsOf(options), prefixesOf(options)));
}

function fieldsOf({ senderField, countField, channelField }: AnalyzeOptions): PayloadFields {
  return {
    sender: senderField ?? DEFAULT_FIELDS.sender,
    count: countField ?? DEFAULT_FIELDS.count,
    channel: channelField ?? DEFAULT_FIELDS.channel,
  };
}

function prefixesOf({ prefix = [] }: AnalyzeOptions): readonly string[] {
  return typeof prefix === 'string' ? [prefix] : prefix;
}

/** Reports from a program are checked as those from a file are. */
function logOf({ gaps }: Gaps): Promise<ClientLog> {
  if (typeof gaps === 'string') return readGapReports(readLines(gaps), gaps);
  return readGapReports(gaps.map((gap) => JSON.stringify({ ...gap, event: 'gap' })));
}
