/** What a swarm says to people, and to programs: the live line, the summary as text and as JSON. Pure. */
import { formatDuration } from '../terminal/duration.js';
import type { GapReport } from './gap-report.js';
import type { SwarmProgress, SwarmSummary } from './swarm.js';
import type { Counts } from './tally.js';

const GAPS_SHOWN = 10;

export function progressLine({ elapsedUs, clients, sent, received, gaps }: SwarmProgress): string {
  const seconds = Math.floor(elapsedUs / 1_000_000);
  const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  return `${clock}  clients ${clients}  sent ${sent}  received ${received}  gaps ${gaps}`;
}

/** `room_a: room_a-1 missed 5, 6 of sender 73cf256d (7 came)` */
export function describeGap({ client, room, sender, missing, expected, received }: GapReport): string {
  const counts = missing.length > 5 ? `${expected} to ${received - 1}` : missing.join(', ');
  return `${room}: ${client} missed ${counts} of sender ${sender} (${received} came)`;
}

export function summaryText(summary: SwarmSummary): string {
  const { gaps, rooms, total, plan } = summary;
  const table = [
    ['', ...COLUMNS.map(([heading]) => heading)],
    ...rooms.map((room) => [room.room, ...COLUMNS.map(([, field]) => String(room[field]))]),
    ...(rooms.length > 1 ? [['total', ...COLUMNS.map(([, field]) => String(total[field]))]] : []),
  ];
  const lines = [
    `${ENDED[summary.ended]} after ${formatDuration(Math.round(summary.durationUs / 10_000) * 10_000)}: ` +
      `${summary.clients} clients, ${summary.churned} of them came only to go; seed ${plan.seed}`,
    '',
    ...aligned(table),
    ...notes(summary),
  ];
  if (gaps.length > 0) {
    lines.push('', 'ERROR: SERVER DROPPED A MESSAGE!');
    lines.push(...gaps.slice(0, GAPS_SHOWN).map((gap) => `  ${describeGap(gap)}`));
    if (gaps.length > GAPS_SHOWN) lines.push(`  and ${gaps.length - GAPS_SHOWN} gaps more`);
  }
  return `${lines.join('\n')}\n`;
}

const ENDED: Readonly<Record<SwarmSummary['ended'], string>> = {
  time: 'time was up',
  gap: 'ended at the first gap',
  stopped: 'stopped',
  failed: 'FAILED',
};

const COLUMNS: readonly (readonly [heading: string, field: keyof Counts])[] = [
  ['sent', 'sent'],
  ['received', 'received'],
  ['gaps', 'gaps'],
  ['missed', 'missed'],
  ['duplicates', 'duplicates'],
  ['reorderings', 'reorderings'],
];

/** What needs a sentence, where there is something to say. */
function notes({ total, errors }: SwarmSummary): string[] {
  const said: string[] = [];
  if (total.missed > total.lost)
    said.push(`${total.lost} different messages were missed, by ${total.hit} clients`);
  if (total.undecided > 0)
    said.push(`${total.undecided} more were missing in the last moments: too early to call them lost`);
  if (total.unheard > 0)
    said.push(
      `${total.unheard} did not arrive at the beginning or the end of what a sender said: no gap shows them, and the server ` +
        'need not have read them',
    );
  if (errors > 0) said.push(`${errors} errors of the server: see the "error" lines of --log`);
  return said.length === 0 ? [] : ['', ...said];
}

function aligned(table: readonly (readonly string[])[]): string[] {
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0)),
  );
  return table.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}

/** `--json`: the summary with the names that a program may rely on. Durations in microseconds. */
export function summaryJson(summary: SwarmSummary): object {
  const { plan, failure } = summary;
  return {
    schema: 1,
    url: summary.url.replace(/\/\/[^@/]*@/, '//'),
    seed: plan.seed,
    options: {
      rooms: plan.rooms,
      churn: plan.churn,
      lifetime_us: plan.lifetimeUs,
      rate: plan.rate,
    },
    started_at: summary.startedAt,
    duration_us: summary.durationUs,
    ended: summary.ended,
    ...(failure === undefined ? {} : { failure: { code: failure.code, message: failure.message } }),
    clients: summary.clients,
    churned: summary.churned,
    errors: summary.errors,
    total: summary.total,
    rooms: summary.rooms,
    gaps: summary.gaps,
  };
}
