/**
 * A finding as a story that a person can follow, and paste into an issue: what was sent, each operation with its time and
 * connection, the silence where the backup should have been, who closed, why, and what to do.
 * Keys, senders and payloads come from the traffic: control characters in them are made visible, not sent to the terminal.
 */
import { styleText } from 'node:util';
import type { AboutTrace } from '../about-trace.js';
import type { Analysis } from '../analyze.js';
import type { Finding, FindingEvent, FindingOperation } from '../finding.js';
import { seconds } from '../question.js';

const WIDTH = 110;
const INDENT = '  ';

/** `colour`: for a terminal that shows colours. */
export function renderAnalysis(analysis: Analysis, colour = false): string {
  const { trace, findings } = analysis;
  const lines = [
    traceLine(trace),
    '',
    ...findings.map((finding) => renderFinding(finding, colour)),
    summaryLine(analysis),
  ];
  return `${lines.join('\n')}\n`;
}

/** Of which trace, and what is missing in it. */
export function traceLine(trace: AboutTrace): string {
  return `Trace ${visible(trace.path)}: ${trace.operations} operations in ${(trace.duration_us / 1e6).toFixed(1)} s from ${trace.started_at}${trace.retained_from_us > 0 ? ` (the oldest was dropped: it begins at ${seconds(trace.retained_from_us)})` : ''}, ${plural(trace.holes, 'hole')}${trace.redacted > 0 ? `, ${plural(trace.redacted, 'secret')} blanked` : ''}${trace.live ? ', still being written' : trace.end_marker ? '' : ', ended without an end marker'}.`;
}

/** One finding, and an empty line after it. */
export function renderFinding(finding: Finding, colour = false): string {
  return [heading(finding, colour), '', ...storyLines(finding), ''].join('\n');
}

/** How many messages got which verdict, and which causes were named. */
export function summaryLine({
  summary,
  findings,
}: {
  readonly summary: Analysis['summary'];
  readonly findings: readonly Pick<Finding, 'cause'>[];
}): string {
  const counts = Object.entries(summary)
    .filter(([verdict, n]) => n > 0 || verdict === 'lost')
    .map(([verdict, n]) => `${n} ${verdict}`);
  const causes = new Map<string, number>();
  for (const { cause } of findings) if (cause) causes.set(cause, (causes.get(cause) ?? 0) + 1);
  const why = [...causes].map(([cause, n]) => `${n} ${cause}`);
  return `Messages: ${counts.join(', ')}.${why.length > 0 ? ` Causes: ${why.join(', ')}.` : ''}`;
}

/** What happened, moment by moment, why, and what to do: without the heading. */
export function storyLines(finding: Finding): string[] {
  const rows = moments(finding);
  return [
    ...(rows.length > 0 ? [...rows.map((line) => `${INDENT}${line}`), ''] : []),
    ...wrapped(finding.explanation),
    ...(finding.alternatives.length > 0 ? wrapped(`Possible: ${finding.alternatives.join(', or ')}.`) : []),
    ...wrapped(`What to do: ${finding.advice}`),
  ];
}

/** Verdict, message and who missed it, in one line. */
export function heading(finding: Finding, colour = false): string {
  const what =
    finding.sender === null
      ? finding.member === null
        ? 'a message that is not on the wire'
        : `message ${finding.member}`
      : `message ${finding.count} of sender ${visible(finding.sender)}`;
  const room = finding.room === null ? '' : `, ${visible(finding.room)}`;
  const by =
    finding.reported_by.length > 0 ? `, missed by ${finding.reported_by.map(visible).join(', ')}` : '';
  const cause = finding.cause === null || finding.cause === finding.verdict ? '' : `: ${finding.cause}`;
  const verdict = `${finding.verdict.toUpperCase()}${cause}`;
  return `${colour ? coloured(finding.verdict, verdict) : verdict}  ${what}${room}${by}`;
}

/** Operations and closes in the order of time, with the silence where a backup should have been. */
function moments(finding: Finding): string[] {
  const rows: { atUs: number; text: string }[] = [];
  for (const operation of finding.operations) rows.push(...operationRows(operation));
  for (const event of finding.events) rows.push({ atUs: event.at_us, text: closeRow(event) });
  const popAt = finding.operations.findLastIndex(({ role }) => role === 'pop');
  const pop = finding.operations[popAt];
  if (
    pop &&
    finding.verdict === 'lost' &&
    !finding.operations.slice(popAt + 1).some(({ role }) => role === 'backup')
  )
    rows.push({
      atUs: (pop.replied_us ?? pop.requested_us) + 0.5,
      text: `${' '.repeat(14)}  silence     no ZADD to ${visible(short(pop.key))}$inflight on any connection: nobody backed it up`,
    });
  return rows.sort((a, b) => a.atUs - b.atUs).map(({ text }) => text);
}

const ROLES: Readonly<Record<string, string>> = {
  enqueue: 'sent',
  pop: 'popped',
  count: 'counted',
  trim: 'trimmed',
  removal: 'removed',
  'time-to-live': 'lives until',
  'shown-gone': 'gone by',
  'last-receive': 'last receive',
  backup: 'backed up',
  acknowledge: 'acked',
  publish: 'published',
  subscribe: 'subscribed',
  resubscribe: 'again',
  'next-receive': 'next step',
  departure: 'left',
  'connection-used-again': 'used again',
  'overlapping-poll': 'also polled',
  'reply-owed': 'owed',
  'sent-too-early': 'too early',
  'in-step-again': 'in step',
  'received-elsewhere': 'received',
};

function operationRows(operation: FindingOperation): { atUs: number; text: string }[] {
  const role = (ROLES[operation.role] ?? operation.role).padEnd(12);
  const replied =
    operation.replied_us === null
      ? 'no reply'
      : `answered after ${((operation.replied_us - operation.requested_us) / 1000).toFixed(1)} ms`;
  const command = `${operation.command} ${visible(short(operation.key))}`;
  const at = seconds(operation.requested_us).padStart(14);
  const rows = [
    {
      atUs: operation.requested_us,
      text: `${at}  ${role}${command}  (operation ${operation.id}, connection ${operation.connection}${inTrace(operation)}, ${replied})`,
    },
  ];
  for (const implied of operation.implied ?? [])
    rows.push({
      atUs: operation.requested_us,
      text: `${' '.repeat(14)}  ${' '.repeat(12)}  implied by the script, not seen: ${visible(short(implied))}`,
    });
  return rows;
}

function closeRow(event: FindingEvent): string {
  return `${seconds(event.at_us).padStart(14)}  ${'closed'.padEnd(12)}connection ${event.connection}${inTrace(event)}, by ${event.by === 'client' ? 'the client' : event.by} (${event.how})`;
}

/** Of several traces, which. */
export function inTrace({ trace }: { readonly trace?: string | undefined }): string {
  return trace === undefined ? '' : ` of ${visible(trace)}`;
}

/** The 32 hex digits of a process are the same all over a story: their first eight do. */
export function short(text: string): string {
  return text.replace(/([0-9a-f]{8})[0-9a-f]{24}/g, '$1…');
}

/** Lines of a paragraph, each behind `indent`. */
export function wrapped(text: string, indent = INDENT): string[] {
  const lines: string[] = [];
  let line = indent;
  for (const word of visible(text).split(' ')) {
    if (line.length + word.length > WIDTH && line.trim() !== '') {
      lines.push(line.trimEnd());
      line = indent;
    }
    line += `${word} `;
  }
  return [...lines, line.trimEnd()];
}

/** Control characters as `\xNN`, so that traffic cannot steer the terminal. */
export function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

function coloured(verdict: string, text: string): string {
  const colour =
    verdict === 'delivered' || verdict === 'redelivered-late' || verdict === 'recipients-left'
      ? 'green'
      : verdict === 'indeterminate' || verdict === 'in-flight'
        ? 'yellow'
        : 'red';
  return styleText(['bold', colour], text);
}

export function plural(n: number, what: string, many = `${what}s`): string {
  return `${n} ${n === 1 ? what : many}`;
}
