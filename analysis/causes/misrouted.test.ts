import { expect, it } from 'vitest';
import { encodeMember } from '../../server/layers/message.js';
import { Evidence } from '../evidence.js';
import { Judge } from '../judge.js';
import { array, bulk, GROUP, integer, nil, ScriptedTrace } from '../testing/scripted-trace.js';

// As channels_redis 2.1.0 speaks, of which channels_redis#93 shows a MONITOR: lists, members without a random start.

const PROCESS = 'specific.dqKbMlZp!';
const LIST = `asgi:${PROCESS}`;
const ANNA = `${PROCESS}wngylvJlmMkg`;
const BERT = `${PROCESS}EkUIijxmkLGw`;

const listMember = (count: number, to: string) => {
  const message = { text_data: JSON.stringify({ my_id: 's', count }), __asgi_channel__: to };
  return Buffer.from(encodeMember(message, Buffer.alloc(12))).subarray(12);
};

/** One group_send to Anna and Bert, with a member for each of `to`, all of them received. */
function sent(to: readonly string[], called: readonly string[] | null = [ANNA, BERT]): ScriptedTrace {
  const trace = new ScriptedTrace();
  for (const channel of [ANNA, BERT]) trace.request(1, 1, ['ZADD', GROUP, '1', channel], integer(1));
  if (called) trace.rollCall(100, 1, called);
  const members = to.map((channel) => listMember(1, channel));
  const keys = to.map(() => LIST);
  trace.request(102, 1, ['EVAL', 'script', String(keys.length), ...keys, ...members], nil);
  for (const [i, member] of members.entries())
    trace.request(110 + i * 10, 2, ['BLPOP', LIST, '5'], array(bulk(LIST), bulk(member)));
  trace.request(200, 2, ['BLPOP', LIST, '5'], nil);
  return trace;
}

function judged(trace: ScriptedTrace) {
  return new Judge(new Evidence(trace))
    .all()
    .map(({ verdict, cause, because }) => ({ verdict, cause, because }));
}

it('misrouted: one recipient twice, another one that Redis had named never', () => {
  const [only, ...more] = judged(sent([BERT, BERT]));
  expect(more).toEqual([]); // two equal members of a list are one journey
  expect(only).toMatchObject({ verdict: 'not-addressed', cause: 'misrouted' });
  expect(only?.because).toContain(`never for ${ANNA}`);
});

it('innocent twin of misrouted: the key comes twice, once for each recipient', () => {
  expect(judged(sent([ANNA, BERT])).map(({ verdict }) => verdict)).toEqual(['delivered', 'delivered']);
});

it('innocent twin of misrouted: a recipient was sent it twice, and nobody was left out', () => {
  expect(judged(sent([BERT, BERT], [BERT]))).toMatchObject([{ verdict: 'duplicated', cause: null }]);
});

it('misrouted, undecided: whom Redis had named is not in the trace', () => {
  const trace = sent([BERT, BERT], null);
  const [only] = new Judge(new Evidence(trace)).all();
  expect(only).toMatchObject({ verdict: 'indeterminate', alternatives: ['misrouted', 'duplicated'] });
});
