/**
 * A test to copy: run your system with `gaptrace proxy` between the channel layer and Redis, let your clients write what they received,
 * and then ask the trace. It fails with the story of each message that was lost, and of each that the trace cannot decide.
 *
 *   GAPTRACE_TRACE=gaptrace.db CLIENT_LOG=clients.jsonl node --test lost-message.test.js
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { analyzeGap, type Finding, isLoss, openTrace } from 'gaptrace';

const trace = openTrace(process.env.GAPTRACE_TRACE ?? 'gaptrace.db');
after(() => trace.close());

const story = ({ verdict, cause, explanation, advice }: Finding): string =>
  `${cause ?? verdict}: ${explanation} ${advice}`;

test('the channel layer lost no message', async () => {
  const { findings } = await analyzeGap(trace);
  assert.deepEqual(findings.filter(({ verdict }) => isLoss(verdict)).map(story), []);
});

test('every message can be followed to its end', async () => {
  const { findings, trace: facts } = await analyzeGap(trace);
  assert.equal(facts.holes, 0);
  assert.deepEqual(findings.filter(({ verdict }) => verdict === 'indeterminate').map(story), []);
});

test('what clients missed', { skip: process.env.CLIENT_LOG === undefined }, async () => {
  const { findings } = await analyzeGap(trace, { gaps: process.env.CLIENT_LOG ?? '' });
  assert.deepEqual(findings.map(story), []);
});
