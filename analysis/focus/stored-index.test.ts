import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { importCapture } from '../../proxy/import/import.js';
import { openTrace } from '../../proxy/trace/open.js';
import type { OperationFilter, Trace } from '../../proxy/trace/trace.js';
import { analyze } from '../analyze.js';
import { DEFAULT_FIELDS } from '../payload.js';
import { analyzeMessage } from './ask-message.js';
import { StoredIndex } from './stored-index.js';
import { SurveyedIndex, type SurveyIndex } from './survey-index.js';

const QUEUE = 'channels_bugspecific.7ac3ee4b25f6434694cc78a051bc832d!';
const SENDER = '02fbcd4f';

let folder: string;
let trace: Trace;
const indexPath = () => `${trace.path}-messages`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gaptrace-index-'));
  const path = join(folder, 'trace.db');
  await importCapture({ file: join('examples', 'v5.capture.jsonl.gz'), trace: path });
  trace = openTrace(path);
});
afterAll(() => {
  trace.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The same trace, as it was when it had fewer operations. */
function upTo(lastId: number, live = false): Trace {
  const operations = (filter: OperationFilter = {}) =>
    trace.operations({ ...filter, untilId: Math.min(filter.untilId ?? lastId, lastId) });
  const cut = {
    operations,
    idAt: (us: number) => Math.min(trace.idAt(us), lastId + 1),
    operationCount: (afterId = 0, untilId = lastId) =>
      trace.operationCount(afterId, Math.min(untilId, lastId)),
  };
  return Object.create(trace, {
    path: { value: trace.path },
    startedUnixUs: { value: trace.startedUnixUs },
    watermarkUs: { value: trace.watermarkUs },
    live: { value: live },
    operations: { value: cut.operations },
    idAt: { value: cut.idAt },
    operationCount: { value: cut.operationCount },
    connections: { value: () => trace.connections() },
  }) as Trace;
}

function asked(index: SurveyIndex) {
  const channels = index.channelsBetween(3000, 4000);
  return {
    message: index.find(SENDER, 16),
    none: index.find(SENDER, 100_000),
    channels: channels.sort(),
    members: index.membersOf(channels),
    everywhere: index.everywhere(),
    queue: index.queue(QUEUE),
    noQueue: index.queue('nothing'),
  };
}

function stored(of: Trace, fields = DEFAULT_FIELDS): ReturnType<typeof asked> {
  const index = StoredIndex.open(of, fields);
  try {
    index.survey(of, fields);
    expect(index.operationCount(of)).toBe(of.operationCount());
    return asked(index);
  } finally {
    index.close();
  }
}

describe('the index beside a trace', () => {
  it('says what a survey of the whole trace says, and nobody else may read it', () => {
    const surveyed = asked(new SurveyedIndex(trace, DEFAULT_FIELDS));
    expect(surveyed.message).toEqual([{ operation: 1870, published: false }]);
    expect(surveyed.members.length).toBeGreaterThan(10);
    expect(surveyed.queue).toMatchObject({ odd: null, popped: 1095 });
    expect(stored(trace)).toEqual(surveyed);
    expect(statSync(indexPath()).mode & 0o777).toBe(0o600);
    expect(stored(trace)).toEqual(surveyed);
  });

  it('is extended where the trace has grown', () => {
    rmSync(indexPath());
    expect(stored(upTo(3600)).message).toHaveLength(1);
    expect(stored(upTo(7001)).queue?.popped).toBeLessThan(1000);
    expect(stored(trace)).toEqual(asked(new SurveyedIndex(trace, DEFAULT_FIELDS)));
  });

  it('of a trace that is being written: what may still change is not kept', () => {
    rmSync(indexPath());
    const whole = asked(new SurveyedIndex(trace, DEFAULT_FIELDS));
    expect(stored(upTo(11_810, true))).toEqual(whole);
    expect(stored(trace)).toEqual(whole);
  });

  it('is made anew for other fields, for another trace of the same name, and where it is damaged', () => {
    expect(stored(trace, { ...DEFAULT_FIELDS, count: 'nothing' }).message).toEqual([]);
    expect(stored(trace).message).toHaveLength(1);
    const shorter = stored(upTo(1000));
    expect(shorter.message).toEqual([]);
    expect(stored(trace).message).toHaveLength(1);
    writeFileSync(indexPath(), 'this is no index');
    expect(stored(trace).message).toHaveLength(1);
    rmSync(indexPath());
  });

  it('where nothing can be written beside the trace it is made for the question', () => {
    rmSync(indexPath(), { force: true });
    const elsewhere = Object.create(upTo(11_810), {
      path: { value: join(folder, 'no folder', 'trace.db') },
    }) as Trace;
    expect(stored(elsewhere).message).toHaveLength(1);
    expect(existsSync(indexPath())).toBe(false);
  });
});

it('a question for one message is answered by it, as from the whole trace', () => {
  const message = { sender: SENDER, count: 16 };
  const seen: number[] = [];
  const answer = analyzeMessage(trace, message, { indexFrom: 0, progress: (done) => seen.push(done) });
  expect(answer).toEqual(analyze(trace, { ask: 'message', ...message }));
  expect(answer.findings).toMatchObject([{ verdict: 'lost', cause: 'popped-then-disconnected' }]);
  expect(seen.length).toBeGreaterThan(0);
  expect(existsSync(indexPath())).toBe(true);
  rmSync(indexPath());
  analyzeMessage(trace, message);
  expect(existsSync(indexPath())).toBe(false);
});

it('what the index does not decide, the whole trace does', () => {
  const unknown = { sender: SENDER, count: 100_000 };
  expect(analyzeMessage(trace, unknown, { indexFrom: 0 }).findings).toMatchObject([
    { verdict: 'never-sent' },
  ]);
  expect(() => analyzeMessage(trace, { sender: 'nobody', count: 1 }, { indexFrom: 0 })).toThrow(
    expect.objectContaining({ code: 'GAPTRACE_SENDER' }),
  );
});
