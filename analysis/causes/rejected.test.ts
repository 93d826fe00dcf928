import { describe, expect, it } from 'vitest';
import type { Reply } from '../../proxy/trace/trace.js';
import { integer, memberOf, QUEUE, type ScriptedTrace } from '../testing/scripted-trace.js';
import { healthy, message, unsentOf, verdictOf } from '../testing/verdict-of.js';

const error = (text: string): Reply => ({ kind: 'error', text });
const OTHER = QUEUE.replace('0123', 'ffff');
const args = (command = 'EVAL') => [command, 'x', '1', QUEUE, message(10), '100', '1', '60'];

function trace(): ScriptedTrace {
  const script = healthy();
  script.watermarkUs = 5_000_000;
  return script;
}

describe('rejected', () => {
  it.each([
    "OOM command not allowed when used memory > 'maxmemory'.",
    "READONLY You can't write against a read only replica.",
    'LOADING Redis is loading the dataset in memory',
    "NOPERM this user has no permissions to run the 'eval' command",
    'WRONGTYPE Operation against a key holding the wrong kind of value',
    'NOSCRIPT No matching script. Please use EVAL.',
  ])('%s', (text) => {
    const script = trace();
    script.request(1000, 1, args(), error(text));
    expect(verdictOf(script, 10)).toMatchObject({ verdict: 'rejected', cause: 'rejected' });
    expect(verdictOf(script, 10).because).toContain(text);
  });

  it('of a ZADD', () => {
    const script = trace();
    script.request(1000, 1, ['ZADD', QUEUE, '1', message(10)], error('OOM command not allowed'));
    expect(verdictOf(script, 10)).toMatchObject({ verdict: 'rejected', cause: 'rejected' });
  });

  it('innocent twin: NOSCRIPT, and the same member sent again by EVAL', () => {
    const script = trace();
    script.request(1000, 1, args('EVALSHA'), error('NOSCRIPT No matching script.'));
    script.request(1003, 1, args(), integer(0));
    script.receive(1010, 2, message(10));
    expect(verdictOf(script, 10)).toMatchObject({ verdict: 'delivered' });
  });

  it('partial: the host of one queue refuses, the other serves its queue', () => {
    const script = trace();
    const theirs = memberOf('s', 10, [`${OTHER.slice('chat'.length)}bert`]);
    script.request(1000, 1, args(), error('OOM command not allowed'));
    script.on(OTHER).groupSend(1001, 5, theirs);
    script.on(OTHER).receive(1010, 6, theirs);
    expect(verdictOf(script, 10)).toMatchObject({ verdict: 'rejected' });
    expect(verdictOf(script, 10, OTHER)).toMatchObject({ verdict: 'delivered' });
  });

  describe('a script that broke off on its way through two queues', () => {
    function brokeOff(): ScriptedTrace {
      const script = trace();
      const both = ['EVAL', 'x', '2', QUEUE, OTHER, message(10), message(11), '100', '100', '1', '60'];
      script.request(
        1000,
        1,
        both,
        error('WRONGTYPE Operation against a key, script: 1f, on @user_script:7.'),
      );
      return script;
    }

    it('is undecided: it may have served this one first', () => {
      expect(verdictOf(brokeOff(), 10)).toMatchObject({
        verdict: 'indeterminate',
        alternatives: ['rejected', 'in-flight'],
      });
    });

    it('innocent twin: it had, for the message was popped', () => {
      const script = brokeOff();
      script.receive(1010, 2, message(10));
      expect(verdictOf(script, 10)).toMatchObject({ verdict: 'delivered' });
    });

    it('had not, where a poll finds the queue empty', () => {
      const script = brokeOff();
      script.poll(1010, 2, null);
      expect(verdictOf(script, 10)).toMatchObject({ verdict: 'rejected', cause: 'rejected' });
    });
  });

  it('undecided: an attempt before the refused one had no answer', () => {
    const script = trace();
    script.request(1000, 1, args(), null, { noReply: true });
    script.request(1010, 5, args(), error('OOM command not allowed'));
    expect(verdictOf(script, 10)).toMatchObject({ verdict: 'indeterminate' });
  });
});

describe('rejected before it was on the wire', () => {
  const oom = error("OOM command not allowed when used memory > 'maxmemory'.");
  const trim = ['ZREMRANGEBYSCORE', QUEUE, '0', '1'];

  it('a group_send whose MULTI Redis refused, queue by queue', () => {
    const script = trace();
    script.transaction(1000, 1, [[trim, oom]], { abort: error('EXECABORT Transaction discarded') });
    expect(unsentOf(script)).toMatchObject([{ verdict: 'rejected', cause: 'rejected', queue: QUEUE }]);
    expect(unsentOf(script)[0]?.because).toContain('OOM');
  });

  it('a send whose trim a replica refused', () => {
    const script = trace();
    script.request(1000, 1, trim, error("READONLY You can't write against a read only replica."));
    expect(unsentOf(script)).toMatchObject([{ verdict: 'rejected', cause: 'rejected' }]);
  });

  it('innocent twin: a MULTI that another command aborted, with this trim queued well', () => {
    const script = trace();
    script.transaction(1000, 1, [[trim, integer(0)]], { abort: error('EXECABORT Transaction discarded') });
    expect(unsentOf(script)).toEqual([]);
  });
});

describe('send-unconfirmed', () => {
  /** The connection is over before Redis has answered. */
  function cut(): ScriptedTrace {
    const script = trace();
    script.request(1000, 5, args(), null, { noReply: true });
    script.disconnect(1002, 5, 'redis', 'reset');
    return script;
  }

  it('is undecided while nothing shows whether it was done', () => {
    expect(verdictOf(cut(), 10)).toMatchObject({
      verdict: 'indeterminate',
      alternatives: ['send-unconfirmed', 'in-flight'],
    });
  });

  it('is a loss once the queue is seen without it', () => {
    const script = cut();
    script.poll(1100, 2, null);
    expect(verdictOf(script, 10)).toMatchObject({ verdict: 'lost', cause: 'send-unconfirmed' });
  });

  it('innocent twin: it was done, for it was popped', () => {
    const script = cut();
    script.receive(1100, 2, message(10));
    expect(verdictOf(script, 10)).toMatchObject({ verdict: 'delivered' });
  });

  it('innocent twin: the same member sent again is the retry', () => {
    const script = cut();
    script.request(1010, 6, args(), integer(0));
    script.receive(1100, 2, message(10));
    expect(verdictOf(script, 10)).toMatchObject({ verdict: 'delivered' });
  });

  it('innocent twin: the queue was empty while Redis could still have run it', () => {
    const script = trace();
    script.request(1000, 5, args(), null, { noReply: true });
    script.poll(1001, 2, null);
    expect(verdictOf(script, 10)).toMatchObject({ verdict: 'indeterminate' });
  });
});
