import { describe, expect, it } from 'vitest';
import type { Reply } from '../../proxy/trace/trace.js';
import { integer, nil, QUEUE, ScriptedTrace } from '../testing/scripted-trace.js';
import { healthy, message, verdictOf } from '../testing/verdict-of.js';

const OK: Reply = { kind: 'simple', text: 'OK' };

/** Message 10 is in its queue from 1 s on, and at 2 s the queue is found empty. */
function emptied(): ScriptedTrace {
  const trace = healthy();
  trace.groupSend(1000, 1, message(10));
  trace.restore(1990, 2);
  trace.poll(2000, 2, null);
  trace.watermarkUs = 5_000_000;
  return trace;
}

describe('removed-outside-trace', () => {
  it('it was in its queue, nothing in the trace took it, and a poll found nothing', () => {
    const said = verdictOf(emptied(), 10);
    expect(said).toMatchObject({ verdict: 'lost', cause: 'removed-outside-trace' });
    expect(said.because).toContain('found its queue empty');
  });

  it('a later message came first', () => {
    const trace = healthy();
    trace.watermarkUs = 5_000_000;
    trace.groupSend(1000, 1, message(10));
    trace.groupSend(1500, 1, message(11));
    trace.receive(2000, 2, message(11));
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'lost', cause: 'removed-outside-trace' });
  });

  it('a ZCOUNT of none shows it, too', () => {
    const trace = healthy();
    trace.watermarkUs = 5_000_000;
    trace.groupSend(1000, 1, message(10));
    trace.request(2000, 5, ['ZCOUNT', QUEUE, '-inf', '+inf'], integer(0));
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'lost', cause: 'removed-outside-trace' });
  });

  it.each([
    [{ evicted_keys: '4' }, { evicted_keys: '7' }, 'Redis evicted 3 keys in that time'],
    [{ run_id: 'a' }, { run_id: 'b' }, 'Redis is another process since then'],
    [{ role: 'slave' }, { role: 'master' }, 'Redis became master (it was slave)'],
  ] as const)('the samples of INFO confirm it: %o, then %o', (before, after, said) => {
    const trace = emptied();
    trace.sample(500, before);
    trace.sample(3000, after);
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'lost', cause: 'removed-outside-trace' });
    expect(verdictOf(trace, 10).because).toContain(said);
  });

  it.each([
    ['DEL', ['DEL', QUEUE], integer(1)],
    ['UNLINK', ['UNLINK', QUEUE], integer(1)],
    ['RENAME', ['RENAME', QUEUE, 'old'], OK],
    ['FLUSHALL', ['FLUSHALL'], OK],
    ['FLUSHDB', ['FLUSHDB', 'ASYNC'], OK],
    ['ZREM', ['ZREM', QUEUE, message(10)], integer(1)],
    ['EVAL', ['EVAL', "redis.call('del', …)", '0', 'chat*'], nil],
  ] as const)('%s in sight is named', (command, args, reply) => {
    const trace = emptied();
    trace.request(1500, 7, args, reply);
    const said = verdictOf(trace, 10);
    expect(said).toMatchObject({ verdict: 'lost', cause: 'removed-outside-trace' });
    expect(said.because).toContain(`(${command}, connection 7) removed it, while it waited in its queue`);
    expect(said.cites.map(({ role }) => role)).toEqual(['removal']);
  });

  it('innocent twin: the poll had begun before the message came', () => {
    const trace = healthy();
    trace.poll(900, 2, null, { tookMs: 500 });
    trace.groupSend(1000, 1, message(10));
    trace.watermarkUs = 3_000_000;
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'in-flight' });
  });

  it.each([
    ['an error', { kind: 'error', text: 'UNBLOCKED client unblocked via CLIENT UNBLOCK' }],
    ['no reply', null],
  ] as const)('innocent twin: the poll ended with %s, which proves nothing of the queue', (_, reply) => {
    const trace = healthy();
    trace.groupSend(1000, 1, message(10));
    trace.request(2000, 2, ['BZPOPMIN', QUEUE, '5'], reply, { noReply: reply === null });
    trace.watermarkUs = 3_000_000;
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'in-flight' });
  });

  it('innocent twin: a DEL after it was popped', () => {
    const trace = healthy();
    trace.groupSend(1000, 1, message(10));
    trace.receive(1010, 2, message(10));
    trace.request(1500, 7, ['FLUSHALL'], OK);
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'delivered' });
  });

  it('innocent twin: the DEL found nothing, or was refused', () => {
    const trace = healthy();
    trace.watermarkUs = 3_000_000;
    trace.request(900, 7, ['DEL', QUEUE], integer(0));
    trace.request(950, 7, ['FLUSHALL'], { kind: 'error', text: 'NOPERM' });
    trace.groupSend(1000, 1, message(10));
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'in-flight' });
  });

  it('undecided: no message of the queue is popped in the trace, so its process may receive past the proxy', () => {
    const trace = new ScriptedTrace();
    trace.groupSend(1000, 1, message(10));
    trace.poll(2000, 2, null);
    trace.watermarkUs = 3_000_000;
    expect(verdictOf(trace, 10)).toMatchObject({
      verdict: 'indeterminate',
      alternatives: ['removed-outside-trace', 'delivered'],
    });
  });

  it('undecided: a poll broke off with the connection to Redis, and may have taken it', () => {
    const trace = emptied();
    trace.poll(1500, 6, null, { noReply: true });
    trace.disconnect(1600, 6, 'redis', 'reset');
    expect(verdictOf(trace, 10)).toMatchObject({
      verdict: 'indeterminate',
      alternatives: ['removed-outside-trace'],
    });
  });

  it('undecided: it came in while the client of a waiting poll was closing, and Redis may have closed before it answered', () => {
    const trace = emptied();
    trace.poll(900, 6, null, { noReply: true });
    trace.disconnect(1000.5, 6);
    const said = verdictOf(trace, 10);
    expect(said).toMatchObject({ verdict: 'indeterminate', alternatives: ['removed-outside-trace'] });
    expect(said.because).toContain('(BZPOPMIN) took it, whose connection 6 ended before it was answered');
  });

  it('a client that closed its poll long after it came took nothing unseen: a poll that waits has it at once', () => {
    const trace = emptied();
    trace.poll(900, 6, null, { noReply: true });
    trace.disconnect(1500, 6);
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'lost', cause: 'removed-outside-trace' });
  });

  it('undecided: a hole', () => {
    const trace = emptied();
    trace.hole(1200, 1300);
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'indeterminate' });
  });
});
