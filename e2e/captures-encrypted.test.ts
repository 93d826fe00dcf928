import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Evidence } from '../analysis/evidence.js';
import { Judge, type JudgedJourney } from '../analysis/judge.js';
import { CutTrace } from '../analysis/testing/cut-trace.js';
import { randomCuts } from '../analysis/testing/random-journeys.js';
import { isLoss } from '../analysis/verdict.js';
import { importCapture } from '../proxy/import/import.js';
import { openTrace } from '../proxy/trace/open.js';
import type { Reply, Trace, TraceOperation } from '../proxy/trace/trace.js';
import { decodeMember } from '../server/layers/message.js';
import { ROOT } from './processes.js';

// The five recordings of real drops as they would be had their layer encrypted: each member's payload made opaque. What was lost is
// known from the recording itself, and so is who each message was for.

const CAPTURES = ['resp2', 'v5', 'resp3', 'desync', 'shield'];
const CUTS_EACH = 4;

/** A member keeps its 12 random bytes; in place of the message comes what looks like a Fernet token. All other bytes stay. */
function encrypted(bytes: Buffer): Buffer {
  if (bytes.length < 24 || !decodeMember(bytes).ok) return bytes;
  const token = createHash('sha256').update(bytes).digest('base64url');
  return Buffer.concat([bytes.subarray(0, 12), Buffer.from(`gAAAAA${token}`)]);
}

function encryptedReply(reply: Reply | null): Reply | null {
  if (reply?.kind === 'bulk') return { ...reply, bytes: encrypted(reply.bytes) };
  if (reply?.kind !== 'array') return reply;
  return { ...reply, items: reply.items.map((item) => encryptedReply(item) as Reply) };
}

function encryptedOperation(operation: TraceOperation): TraceOperation {
  return new Proxy(operation, {
    get(target, key) {
      if (key === 'args') return target.args.map(encrypted);
      if (key === 'reply') return encryptedReply(target.reply);
      return Reflect.get(target, key, target);
    },
  });
}

function encryptedTrace(trace: Trace): Trace {
  return new Proxy(trace, {
    get(target, key) {
      if (key === 'operations')
        return function* (...filter: Parameters<Trace['operations']>) {
          for (const operation of target.operations(...filter)) yield encryptedOperation(operation);
        };
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** Each message by its 12 random bytes and its queue. */
function judged(trace: Trace): Map<string, JudgedJourney> {
  const all = new Judge(new Evidence(trace)).all();
  return new Map(all.map((one) => [`${one.queue} ${one.member.toString('hex', 0, 12)}`, one]));
}

/** Undecided; or a message lost to nobody is not known to have been for nobody. */
function isMilder(one: JudgedJourney, truth: JudgedJourney): boolean {
  if (one.verdict === 'indeterminate') return true;
  return truth.verdict === 'recipients-left' && !isLoss(one.verdict);
}

function recipientsOf({ payload }: JudgedJourney): string | undefined {
  return payload.recipients?.toSorted().join();
}

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'gaptrace-encrypted-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

describe.each(CAPTURES)('%s', (name) => {
  let trace: Trace;
  beforeAll(async () => {
    const path = join(directory, `${name}.db`);
    await importCapture({ file: join(ROOT, `examples/${name}.capture.jsonl.gz`), trace: path });
    trace = openTrace(path);
  });
  afterAll(() => trace.close());

  test('every loss is found and has its cause, and the recipients, where they are known, are the true ones', () => {
    const [clear, opaque] = [judged(trace), judged(encryptedTrace(trace))];
    expect([...opaque.keys()]).toEqual([...clear.keys()]);
    const losses = [...clear].filter(([, { verdict }]) => isLoss(verdict));
    expect(losses.length).toBeGreaterThan(0);
    for (const [key, { verdict, cause }] of losses) expect(opaque.get(key)).toMatchObject({ verdict, cause });
    const known = [...opaque].filter(([, one]) => one.payload.recipients !== null);
    expect(known.length).toBeGreaterThan(100);
    for (const [key, one] of known)
      expect(recipientsOf(one)).toBe(recipientsOf(clear.get(key) as JudgedJourney));
    for (const [key, one] of opaque) {
      const truth = clear.get(key) as JudgedJourney;
      if (!isMilder(one, truth)) expect([one.verdict, one.cause]).toEqual([truth.verdict, truth.cause]);
    }
  });

  test('holes cut at random: nothing is called lost that was not, or by another cause', () => {
    const clear = judged(trace);
    const connections = [...trace.connections()].map(({ id }) => id);
    const cuts = randomCuts(trace.watermarkUs, connections, 300_000);
    for (const each of fc.sample(cuts, { numRuns: CUTS_EACH, seed: 11 })) {
      const cut = judged(new CutTrace(encryptedTrace(trace), each));
      for (const [key, { verdict, cause }] of cut)
        if (isLoss(verdict)) expect(clear.get(key), JSON.stringify(each)).toMatchObject({ verdict, cause });
    }
  }, 120_000);
});
