import { describe, expect, it } from 'vitest';
import { GaptraceError } from '../terminal/errors.js';
import type { SwarmSummary } from './swarm.js';
import { describeGap, progressLine, summaryJson, summaryText } from './swarm-report.js';

const NOTHING = {
  ...{ sent: 0, addressed: 0, received: 0, gaps: 0, missed: 0, lost: 0, hit: 0 },
  ...{ duplicates: 0, reorderings: 0, undecided: 0, unheard: 0 },
};
const gap = {
  ...{ client: 'room_a-1', room: 'room_a', sender: 's', expected: 5, received: 7, missing: [5, 6] },
  at: '2026-11-23T12:00:00.123Z',
};
const quiet: SwarmSummary = {
  url: 'ws://user:secret@127.0.0.1:8000',
  plan: { rooms: [{ room: 'room_a', clients: 2 }], churn: 1, lifetimeUs: 1_000_000, rate: 10, seed: 42 },
  startedAt: '2026-11-23T12:00:00.000Z',
  durationUs: 31_234_567,
  ended: 'time',
  failure: undefined,
  clients: 9,
  churned: 7,
  errors: 0,
  total: { ...NOTHING, sent: 100, received: 150 },
  rooms: [{ room: 'room_a', ...NOTHING, sent: 100, received: 150 }],
  gaps: [],
};

describe('the summary for people', () => {
  it('is short when all is well', () => {
    expect(summaryText(quiet)).toBe(
      [
        'time was up after 31.23s: 9 clients, 7 of them came only to go; seed 42',
        '',
        '        sent  received  gaps  missed  duplicates  reorderings',
        'room_a   100       150     0       0           0            0',
        '',
      ].join('\n'),
    );
  });

  it('has a line for all rooms together, and the gaps', () => {
    const rooms = [
      { room: 'room_a', ...NOTHING, sent: 100, received: 150, gaps: 1, missed: 2 },
      { room: 'b', ...NOTHING, sent: 1_000, received: 2_000, duplicates: 3 },
    ];
    const total = { ...NOTHING, sent: 1_100, received: 2_150, gaps: 1, missed: 2, lost: 2, duplicates: 3 };
    const text = summaryText({ ...quiet, ended: 'gap', rooms, total, gaps: [gap] });
    expect(text.split('\n').slice(2)).toEqual([
      '        sent  received  gaps  missed  duplicates  reorderings',
      'room_a   100       150     1       2           0            0',
      'b       1000      2000     0       0           3            0',
      'total   1100      2150     1       2           3            0',
      '',
      'ERROR: SERVER DROPPED A MESSAGE!',
      '  room_a: room_a-1 missed 5, 6 of sender s (7 came)',
      '',
    ]);
  });

  it('does not list a thousand gaps', () => {
    const text = summaryText({ ...quiet, gaps: Array.from({ length: 1_000 }, () => gap) });
    expect(text.match(/room_a-1 missed/g)).toHaveLength(10);
    expect(text).toMatch(/\n {2}and 990 gaps more\n$/);
  });

  it('says what the table does not', () => {
    const total = { ...quiet.total, missed: 6, lost: 2, hit: 3, undecided: 1, unheard: 4 };
    const text = summaryText({ ...quiet, ended: 'failed', errors: 5, total });
    expect(text).toMatch(/^FAILED after/);
    expect(text).toContain('\n2 different messages were missed, by 3 clients\n');
    expect(text).toContain('\n1 more were missing in the last moments');
    expect(text).toContain('\n4 did not arrive at the beginning or the end');
    expect(text).toContain('\n5 errors of the server');
  });
});

it('the summary for programs has what people are told, and no password', () => {
  const failure = new GaptraceError('GAPTRACE_CHAT_CLOSED', 'gone');
  const json = JSON.parse(JSON.stringify(summaryJson({ ...quiet, ended: 'failed', failure, gaps: [gap] })));
  expect(json).toEqual({
    schema: 1,
    url: 'ws://127.0.0.1:8000',
    seed: 42,
    options: { rooms: quiet.plan.rooms, churn: 1, lifetime_us: 1_000_000, rate: 10 },
    started_at: '2026-11-23T12:00:00.000Z',
    duration_us: 31_234_567,
    ended: 'failed',
    failure: { code: 'GAPTRACE_CHAT_CLOSED', message: 'gone' },
    ...{ clients: 9, churned: 7, errors: 0 },
    total: quiet.total,
    rooms: quiet.rooms,
    gaps: [gap],
  });
  expect(summaryJson(quiet)).not.toHaveProperty('failure');
});

it('a wide gap is told by its ends', () => {
  const missing = Array.from({ length: 6 }, (_, i) => i + 5);
  expect(describeGap({ ...gap, received: 11, missing })).toBe(
    'room_a: room_a-1 missed 5 to 10 of sender s (11 came)',
  );
});

it('the live line says how long, how many, and what was found', () => {
  const progress = { elapsedUs: 65_900_000, clients: 7, sent: 812, received: 2_301, gaps: 1 };
  expect(progressLine(progress)).toBe('1:05  clients 7  sent 812  received 2301  gaps 1');
});
