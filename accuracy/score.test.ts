import { expect, test } from 'vitest';
import type { Answer } from './answer.js';
import { check } from './checker.js';
import { type Circumstances, scoreOf as scoreIn } from './score.js';
import { type Fate, type TruthEvent, truthsOf } from './truth.js';

const answer = (verdict: Answer['verdict'], cause: string | null = null, more: Partial<Answer> = {}) => ({
  ...{ verdict, cause, alternatives: [], concerns: true, atUs: 5, because: '' },
  ...more,
});
const scoreOf = (fate: Fate, said: Answer, more: Partial<Circumstances> = {}) =>
  scoreIn(fate, said, { whole: true, neverCertain: [], ...more });
const processed: Fate = { fate: 'processed', times: 1, left: false, causes: [] };
const strayed: Fate = { fate: 'lost', causes: ['stray-pop'] };

test('a loss: only its own cause is right, another is wrong, none is silent, and saying that one cannot tell is neither', () => {
  expect(scoreOf(strayed, answer('lost', 'stray-pop'))).toBe('right');
  expect(scoreOf(strayed, answer('lost', 'reply-desync'))).toBe('wrong');
  expect(scoreOf(strayed, answer('delivered'))).toBe('silent');
  expect(scoreOf(strayed, answer('in-flight'))).toBe('silent');
  expect(scoreOf(strayed, answer('lost', 'stray-pop', { concerns: false }))).toBe('silent');
  expect(scoreOf(strayed, answer('indeterminate'))).toBe('undecided');
  const listed = answer('indeterminate', null, { alternatives: ['stray-pop'] });
  expect(scoreOf(strayed, listed, { neverCertain: ['stray-pop'] })).toBe('right');
  expect(scoreOf(strayed, answer('indeterminate'), { neverCertain: ['stray-pop'] })).toBe('undecided');
});

test('what was processed is not lost, whatever the cause', () => {
  expect(scoreOf(processed, answer('delivered'))).toBe('right');
  expect(scoreOf(processed, answer('lost', 'stray-pop'))).toBe('wrong');
  expect(scoreOf(processed, answer('duplicated', 'worker-duplicate'))).toBe('wrong');
  expect(scoreOf({ ...processed, times: 2 }, answer('delivered'))).toBe('silent');
  expect(scoreOf({ ...processed, times: 2 }, answer('delivered'), { whole: false })).toBe('right');
});

test('whoever had left before it was lost is accused of nothing; whoever left after may be', () => {
  const left: Fate = { fate: 'left', leftUs: 10, causes: ['stray-pop'] };
  expect(scoreOf(left, answer('recipients-left'))).toBe('right');
  expect(scoreOf(left, answer('lost', 'stray-pop', { atUs: 5 }))).toBe('right');
  expect(scoreOf(left, answer('lost', 'stray-pop', { atUs: 15 }))).toBe('wrong');
  expect(scoreOf({ ...left, causes: [] }, answer('lost', 'stray-pop', { atUs: 5 }))).toBe('wrong');
});

const events: TruthEvent[] = [
  { event: 'joined', channel: 'p!a', group: 'room', atUs: 1 },
  { event: 'sending', message: 's/0', to: 'room', atUs: 2 },
  { event: 'joined', channel: 'p!late', group: 'room', atUs: 3 },
  { event: 'sent', message: 's/0', atUs: 4 },
  { event: 'sending', message: 's/1', to: 'room', atUs: 5 },
  { event: 'sent', message: 's/1', atUs: 6 },
  { event: 'processed', message: 's/1', channel: 'p!a', atUs: 7 },
  { event: 'processed', message: 's/1', channel: 'p!a', atUs: 8 },
  { event: 'processed', message: 'nobody/0', channel: 'p!a', atUs: 9 },
  { event: 'sending', message: 's/2', to: 'room', atUs: 10 },
  { event: 'sent', message: 's/2', error: 'OOM', atUs: 11 },
  { event: 'processed', message: 's/2', channel: 'p!late', atUs: 12 },
];

test('truth: who joined while it was sent is owed nothing; what nobody processed is lost once something later came', () => {
  expect(truthsOf(events, ['stray-pop'])).toEqual([
    { message: 's/0', channel: 'p!a', fate: strayed },
    { message: 's/1', channel: 'p!a', fate: { ...processed, times: 2 } },
    { message: 's/1', channel: 'p!late', fate: { fate: 'lost', causes: ['stray-pop'] } },
    { message: 's/2', channel: 'p!a', fate: { fate: 'unfinished', causes: ['stray-pop'] } },
    { message: 's/2', channel: 'p!late', fate: processed },
  ]);
});

test('the checker finds what is lost, duplicated, unexpected and recovered', () => {
  expect(check(events)).toMatchObject({
    lost: new Set(['s/0 for p!a', 's/1 for p!late']),
    duplicated: new Set(['s/1 for p!a']),
    unexpected: new Set(['nobody/0 for p!a']),
    recovered: new Set(['s/2 for p!late']),
  });
});
