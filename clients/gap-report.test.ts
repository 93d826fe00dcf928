import { describe, expect, it } from 'vitest';
import { GaptraceError } from '../terminal/errors.js';
import { readLines } from '../terminal/lines.js';
import { GapReader, gapReportLine, messageLine, readGapReports } from './gap-report.js';

const at = '2026-11-23T12:00:00.123Z';
const report = { client: 'c', room: 'room_a', sender: 's', expected: 5, received: 7, missing: [5, 6], at };

const recv = (count: number, more: object = {}) =>
  JSON.stringify({
    schema: 1,
    event: 'recv',
    client: 'c',
    room: 'r',
    sender: 's',
    count,
    t: count / 10,
    ...more,
  });

async function missingIn(...lines: string[]) {
  const { gaps } = await readGapReports(lines);
  return gaps.map((gap) => [gap.client, gap.sender, ...gap.missing]);
}

async function refusalOf(...lines: string[]): Promise<string> {
  const error: unknown = await readGapReports(lines, 'gaps.ndjson').catch((reason: unknown) => reason);
  if (!(error instanceof GaptraceError)) throw new Error('it was not refused');
  expect(error.code).toBe('GAPTRACE_GAPS');
  expect(error.exitStatus).toBe(2);
  return error.message;
}

describe('a gap report', () => {
  it('is read as it was written', async () => {
    expect((await readGapReports([gapReportLine(report)])).gaps).toEqual([report]);
    const undated = { ...report, at: null };
    expect((await readGapReports([gapReportLine(undated)])).gaps).toEqual([undated]);
  });

  it('is kept from each client that sends one', async () => {
    const { gaps } = await readGapReports([gapReportLine(report), gapReportLine({ ...report, client: 'd' })]);
    expect(gaps.map((gap) => gap.client)).toEqual(['c', 'd']);
  });

  it('may leave out the list of what is missing', async () => {
    const { missing, ...short } = report;
    const { gaps } = await readGapReports([JSON.stringify({ event: 'gap', ...short })]);
    expect(gaps[0]?.missing).toEqual(missing);
  });
});

describe('a client log', () => {
  it('says as which senders each client has spoken', async () => {
    const { spokeAs } = await readGapReports([
      JSON.stringify({ event: 'start', client: 'c', id: 's1' }),
      messageLine('send', { client: 'c', room: 'r', sender: 's2', count: 0, at: null }),
      JSON.stringify({ event: 'start', client: 'd' }),
    ]);
    expect([...spokeAs].map(([client, senders]) => [client, ...senders])).toEqual([['c', 's1', 's2']]);
  });

  it('has the gaps between the first and the last count of a sender', async () => {
    const { gaps, received } = await readGapReports([recv(3), recv(4), recv(7)]);
    expect(gaps).toEqual([
      { client: 'c', room: 'r', sender: 's', expected: 5, received: 7, missing: [5, 6], at: 0.7 },
    ]);
    expect(received.map((message) => message.count)).toEqual([3, 4, 7]);
  });

  it('does not call late what is late', async () => {
    expect(await missingIn(recv(0), recv(2), recv(1))).toEqual([]);
  });

  it('keeps clients, rooms and senders apart', async () => {
    expect(
      await missingIn(
        recv(0),
        recv(2, { client: 'd' }),
        recv(2, { room: 'q' }),
        recv(2, { sender: 't' }),
        recv(4, { sender: 't' }),
      ),
    ).toEqual([['c', 't', 3]]);
  });

  it('begins a new account for a client that starts again', async () => {
    const start = JSON.stringify({ schema: 1, event: 'start', client: 'c', id: 's2', room: 'r', t: 1 });
    expect(await missingIn(start, recv(0), recv(2), start, recv(9))).toEqual([['c', 's', 1]]);
  });

  it('does not repeat a gap that the client reported too', async () => {
    const same = { client: 'c', room: 'r', sender: 's', expected: 1, received: 2, missing: [1], at };
    expect(await missingIn(recv(0), gapReportLine(same), recv(2), recv(4))).toEqual([
      ['c', 's', 1],
      ['c', 's', 3],
    ]);
  });

  it('passes over blank lines and events it does not know', async () => {
    expect(await missingIn('', recv(0), '{"event":"weather"}', ' ', recv(2))).toEqual([['c', 's', 1]]);
  });

  it.each([0.5, at, null])('says what was sent and received, as it was written (at %s)', async (when) => {
    const message = { client: 'c', room: 'r', sender: 's', count: 0, at: when };
    const { sent, received } = await readGapReports([
      messageLine('send', message),
      messageLine('recv', message),
    ]);
    expect(sent).toEqual([message]);
    expect(received).toEqual([message]);
  });
});

describe('a broken line is named', () => {
  it.each([
    ['not JSON', '{"event":"recv', /not JSON/],
    ['a list', '[1]', /not a JSON object/],
    ['null', 'null', /not a JSON object/],
    ['a newer schema', '{"schema":2,"event":"gap"}', /schema 2: this gaptrace reads schema 1/],
    ['no event', '{"schema":1}', /"event" is absent/],
    ['no client', '{"event":"recv","room":"r","sender":"s","count":1}', /"client" is absent/],
    ['a count that is a string', recv(1, { count: '1' }), /"count" is "1"; wanted is a whole number/],
    ['a negative count', recv(1, { count: -1 }), /"count" is -1/],
    ['a fraction', recv(1, { count: 1.5 }), /"count" is 1.5/],
    ['a time that is none', recv(1, { t: 'noon' }), /"t" is "noon"/],
    [
      'a gap that ends before it begins',
      gapReportLine({ ...report, received: 5 }),
      /received 5 is not after/,
    ],
    ['an empty list of counts', gapReportLine({ ...report, missing: [] }), /"missing" is \[\]/],
    ['a gap too wide to be one', gapReportLine({ ...report, received: 2_000_000 }), /a wrong count/],
  ])('%s', async (_, line, problem) => {
    const message = await refusalOf(recv(0, { client: 'other' }), line, '{}');
    expect(message).toMatch(/^gaps\.ndjson, line 2: /);
    expect(message).toMatch(problem);
  });

  it('also where a count jumps too far, though that shows only at the end', async () => {
    expect(await refusalOf(recv(0), recv(5_000_000), recv(5_000_001))).toMatch(/^gaps\.ndjson, line 2: /);
  });
});

// Counted from the logs by other means than this code.
describe.each([
  ['resp2', 1603, 888, 5, 3],
  ['v5', 1660, 880, 9, 4],
  ['resp3', 1534, 871, 7, 5],
  ['shield', 1645, 880, 9, 4],
  ['desync', 1641, 882, 51, 27],
] as const)('the clients of capture %s', (name, received, sent, missed, messages) => {
  it(`missed ${missed} times one of ${messages} messages`, async () => {
    const log = await readGapReports(readLines(`examples/${name}.clients.jsonl.gz`));
    expect(log.received).toHaveLength(received);
    expect(log.sent).toHaveLength(sent);
    const counts = log.gaps.flatMap((gap) => gap.missing.map((count) => `${gap.sender} ${count}`));
    expect(counts).toHaveLength(missed);
    expect(new Set(counts).size).toBe(messages);
  });
});

describe('line by line', () => {
  const said = (...lines: string[]) => {
    const reader = new GapReader('log');
    return lines.map((line) => {
      const read = reader.line(line);
      const gaps = read.event === 'gap' ? [read.gap] : read.event === 'recv' ? read.gaps : [];
      return [read.event, ...gaps.map(({ client, missing }) => `${client} ${missing}`)];
    });
  };

  it('a gap shows with the count that jumps over it', () => {
    expect(said(recv(0), recv(1), recv(4), gapReportLine(report), '', '{"event":"weather"}')).toEqual([
      ['recv'],
      ['recv'],
      ['recv', 'c 2,3'],
      ['gap', 'c 5,6'],
      ['other'],
      ['other'],
    ]);
  });

  it('a count that is late shows none, and one that repeats none', () => {
    expect(said(recv(0), recv(2), recv(1), recv(1))).toEqual([['recv'], ['recv', 'c 1'], ['recv'], ['recv']]);
  });

  it('a sender that counts from 0 again has not closed what it missed before', () => {
    const from = (first: number, last: number) =>
      Array.from({ length: last - first + 1 }, (_, i) => recv(first + i));
    const read = said(recv(0), ...from(2, 12), ...from(0, 9));
    expect(read[1]).toEqual(['recv', 'c 1']);
    expect(read.at(-1)).toEqual(['recv', 'c 1']);
    expect(read.filter(([, ...gaps]) => gaps.length > 0)).toHaveLength(2);
  });
});
