import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { audit } from './audit.js';
import { PubSubScript } from './testing/scripted-pubsub.js';
import { array, bulk, integer, nil, QUEUE, type ScriptedTrace } from './testing/scripted-trace.js';
import { healthy } from './testing/verdict-of.js';

// What else lives on a Redis beside a channel layer: it is not judged, and nobody is accused of it.

/** Bytes that look random and are the same in each run. */
function bytes(seed: number, length: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, block) =>
    createHash('sha256').update(`${seed}.${block}`).digest(),
  );
  return Buffer.concat(blocks).subarray(0, length);
}

/** What the audit counts beyond the three messages in good health. */
function beyondHealthy(script: (trace: ScriptedTrace) => void) {
  const trace = healthy();
  script(trace);
  const { totals, clusters, hints } = audit(trace);
  return {
    judged: totals.total - 3,
    verdicts: totals.verdicts,
    clusters,
    hints: hints.map(({ hint }) => hint),
  };
}

const NOTHING = { judged: 0, verdicts: { delivered: 3 }, clusters: [], hints: [] };

describe('other applications', () => {
  it.each([
    ['leaderboards and their like', ['ZADD', 'leaderboard', '12', 'alice']],
    ['members that begin as a msgpack map does', ['ZADD', 'z', '1', Buffer.alloc(20, 0x81)]],
    ['a member of every length', ['ZADD', 'z', '1', '']],
  ])('%s', (_, args) => {
    expect(beyondHealthy((trace) => trace.request(500, 9, args, integer(1)))).toEqual(NOTHING);
  });

  it('a priority queue that is served with BZPOPMIN, whatever its members', () => {
    const found = beyondHealthy((trace) => {
      for (let job = 0; job < 300; job++) {
        const member = bytes(job, job % 80);
        trace.request(400 + job, 9, ['ZADD', 'jobs:priority', String(job), member], integer(1));
        trace.request(
          400 + job,
          10 + job,
          ['BZPOPMIN', 'jobs:priority', 'jobs', '5'],
          array(bulk('jobs:priority'), bulk(member), bulk('1')),
        );
        trace.disconnect(402 + job, 10 + job);
      }
    });
    expect(found).toEqual(NOTHING);
  });

  it('delayed jobs that are moved by a script, and those of an EVALSHA with as many arguments as a group_send', () => {
    const found = beyondHealthy((trace) => {
      trace.request(500, 9, ['EVAL', 'move', '2', 'delayed', 'ready', '1700000000'], integer(3));
      trace.request(501, 9, ['EVALSHA', 'f00d', '1', 'limits', 'token', '10', '1700', '60'], integer(0));
      trace.request(502, 9, ['EVALSHA', 'f00d', '0', 'a', 'a$inflight'], nil);
    });
    expect(found).toEqual(NOTHING);
  });

  it("other applications' pub/sub", () => {
    const found = beyondHealthy((trace) => {
      const script = new PubSubScript(trace);
      script.subscribe(500, 9, ['news', '__keyspace@0__:x']);
      for (let message = 0; message < 50; message++) {
        script.publish(510 + message, bytes(message, message), message % 2, { channel: 'news' });
        script.publish(510 + message, bytes(message, message), 0, { channel: 'celery.pidbox' });
      }
      script.publish(600, Buffer.from('not msgpack'), 0); // even under a name of the layer
    });
    expect(found).toEqual(NOTHING);
  });
});

describe('members that cannot be read, in a queue of the layer', () => {
  it('popped, backed up and acknowledged: delivered, each by its bytes', () => {
    const found = beyondHealthy((trace) => {
      for (let message = 0; message < 200; message++) {
        const member = bytes(message, message);
        trace.groupSend(1000 + 20 * message, 1, member);
        trace.receive(1005 + 20 * message, 2, member);
      }
    });
    expect(found).toEqual({ ...NOTHING, judged: 200, verdicts: { delivered: 203 } });
  });

  it('keys and channels that are no text', () => {
    const found = beyondHealthy((trace) => {
      const key = Buffer.from([0xff, 0xfe, 0x00, 0x0a]);
      trace.request(500, 9, ['ZADD', key, 'NaN', bytes(1, 30)], integer(1));
      trace.request(501, 9, ['ZREM', Buffer.concat([key, Buffer.from(':group:')]), key], integer(0));
      trace.request(502, 9, ['ZRANGE', ':group:', '0', '-1'], array(bulk(key), nil));
      trace.request(503, 9, ['EVAL', '', '-1', key], { kind: 'error', text: 'ERR' });
      trace.request(504, 9, ['EVAL'], { kind: 'error', text: 'ERR' });
      trace.request(505, 9, ['BZPOPMIN', QUEUE], { kind: 'error', text: 'ERR' });
      trace.request(506, 9, ['ZPOPMIN'], { kind: 'error', text: 'ERR' });
    });
    expect(found).toEqual(NOTHING);
  });
});
