/**
 * An audit for a person at two in the morning: what became of the messages, what was lost at which moment and who had just left, the
 * minutes side by side, the four questions answered, and the hints. What comes from the traffic is made visible, not sent to
 * the terminal. Long lists are cut, and say so: `--json` has them whole.
 */
import { styleText } from 'node:util';
import type { Cluster } from '../audit/cluster.js';
import type { Fate } from '../audit/fate.js';
import type { Minute } from '../audit/minutes.js';
import { groupedBy, type Tally, type Totals } from '../audit/totals.js';
import type { Audit } from '../audit.js';
import type { Hint } from '../hints/hint.js';
import { seconds } from '../question.js';
import { inTrace, plural, short, traceLine, visible, wrapped } from './text.js';

/** `colour`: for a terminal that shows colours. */
export function renderAudit(audit: Omit<Audit, 'fates'>, colour = false): string {
  const title = (text: string) => (colour ? styleText('bold', text) : text);
  const { totals, clusters, per_minute: minutes, answers, hints } = audit;
  return [
    traceLine(audit.trace),
    ...['', title('THE FATE OF EVERY MESSAGE, in each queue that it was put into'), ''],
    ...totalLines(totals),
    ...['', title('LOSSES BY MOMENT'), ''],
    ...clusterLines(clusters),
    ...['', title('MINUTE BY MINUTE'), ''],
    ...minuteLines(minutes),
    ...['', title('FOUR QUESTIONS'), ''],
    ...answers.flatMap(({ question, answer, operations, traces }, at) => [
      `  ${at + 1}. ${question}`,
      ...wrapped(answer, '     '),
      ...(operations.length > 0 ? [`     Proof: ${operationList(operations, traces)}.`] : []),
      '',
    ]),
    title('HINTS'),
    '',
    ...(hints.length === 0 ? ['  None.', ''] : []),
    ...groupedBy(hints, ({ hint }) => hint).flatMap(hintLines),
  ].join('\n');
}

/** What was seen of one kind, then once what to do about it. */
function hintLines([kind, hints]: [string, Hint[]]): string[] {
  const advice = hints[0]?.advice ?? '';
  return [
    `  ${kind}`,
    ...hints.flatMap(({ seen, operations }) => [
      ...wrapped(short(seen), '     '),
      `     Seen in: ${operationList(
        operations.map(({ id }) => id),
        tracesOf(operations),
      )}.`,
    ]),
    ...wrapped(`What to do: ${advice}`, '     '),
    '',
  ];
}

function totalLines(totals: Totals): string[] {
  const verdicts = Object.keys(totals.verdicts);
  const head = ['', 'messages', ...verdicts];
  const row = (name: string, { total, verdicts: of }: Tally) => [
    visible(short(name)),
    String(total),
    ...verdicts.map((verdict) => String(of[verdict] ?? 0)),
  ];
  return [
    ...table([
      head,
      row('all', totals),
      ...totals.by_queue.map((of) => row(`queue ${of.queue}`, of)),
      ...totals.by_process.map((of) => row(`process ${of.process ?? 'of any (general channels)'}`, of)),
      ...totals.by_client_library.map((of) =>
        row(`taken by ${of.client_library ?? 'a client that does not say what it is'}`, of),
      ),
    ]),
    ...(totals.not_taken > 0 ? [`  ${plural(totals.not_taken, 'message')} no connection took.`] : []),
    '',
    `  Causes: ${counts(totals.causes) || 'none'}.`,
  ];
}

const SHOWN_CLUSTERS = 40;

function clusterLines(clusters: readonly Cluster[]): string[] {
  if (clusters.length === 0) return ['  Nothing was lost.'];
  const more = clusters.length - SHOWN_CLUSTERS;
  return [
    ...clusters.slice(0, SHOWN_CLUSTERS).flatMap(clusterRows),
    ...(more > 0 ? [`  … and ${plural(more, 'moment')} more: --json has them all`] : []),
  ];
}

function clusterRows({ from_us: from, to_us: to, losses, causes, rooms, recipients, departures }: Cluster) {
  const span = losses.length === 1 ? '' : ` within ${((to - from) / 1000).toFixed(1)} ms`;
  const [last, ...others] = departures;
  const indent = ' '.repeat(16);
  return [
    `${seconds(from).padStart(14)}  ${plural(losses.length, 'loss', 'losses')}${span}: ${counts(causes)}`,
    ...wrapped(losses.map(lossText).join('; '), indent),
    ...wrapped(
      `hit ${plural(recipients.length, 'recipient')} in ${rooms.length === 0 ? 'a room that is not known' : rooms.join(', ')}`,
      indent,
    ),
    ...(last
      ? wrapped(
          `just ${last.before_us < 0 ? 'after' : 'before'}, ${short(last.channel)} left ${last.group}${last.lost_something ? '' : ' and lost nothing'} (ZREM, operation ${last.operation}${inTrace(last)}, ${beforeText(last.before_us)})${others.length > 0 ? `; or it was who left with ${others.map((other) => `operation ${other.operation}${inTrace(other)}, ${beforeText(other.before_us)}`).join('; ')}` : ''}`,
          indent,
        )
      : []),
  ];
}

function beforeText(us: number): string {
  return `${(Math.abs(us) / 1000).toFixed(1)} ms ${us < 0 ? 'after' : 'before'}`;
}

function lossText({ sender, count, member, operations, traces }: Fate): string {
  const what = sender === null ? `message ${member}` : `message ${count} of sender ${sender}`;
  return `${what} (operations ${numbered(operations, traces).join(', ')})`;
}

function minuteLines(minutes: readonly Minute[]): string[] {
  const head = ['from', 'to', 'disconnects', 'pop outstanding', 'pop just answered', 'all closes', 'losses'];
  return [
    ...table([
      head,
      ...minutes.map((minute) => [
        `${(minute.from_us / 1e6).toFixed(0)} s`,
        `${(minute.to_us / 1e6).toFixed(0)} s`,
        String(minute.disconnects),
        String(minute.closed_with_pop_outstanding),
        String(minute.closed_with_pop_just_answered),
        String(minute.closed_by_client),
        String(minute.losses),
      ]),
    ]),
    '  Disconnects: consumers that left their last group. Then connections to Redis closed by the client: with a',
    '  blocking pop on them outstanding, or just answered, and all.',
  ];
}

/** Columns under their heads: the first to the left, the others to the right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows.map(
    (row) =>
      `  ${row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  ')}`,
  );
}

function counts(of: Readonly<Record<string, number>>): string {
  return Object.entries(of)
    .map(([name, n]) => `${n} ${visible(name)}`)
    .join(', ');
}

const SHOWN_OPERATIONS = 12;

/** Of several traces, the one of each operation; none where there is one trace. */
function tracesOf(operations: Hint['operations']): readonly string[] {
  return operations.flatMap(({ trace }) => trace ?? []);
}

/** Of several traces, `650 of b.db`. */
function numbered(ids: readonly number[], traces: readonly string[] = []): string[] {
  return ids.map((id, at) => `${id}${inTrace({ trace: traces[at] })}`);
}

function operationList(ids: readonly number[], traces: readonly string[] = []): string {
  const more = ids.length - SHOWN_OPERATIONS;
  const shown = numbered(ids.slice(0, SHOWN_OPERATIONS), traces).join(', ');
  return `${ids.length === 1 ? 'operation' : 'operations'} ${shown}${more > 0 ? ` and ${more} more (--json has them all)` : ''}`;
}
