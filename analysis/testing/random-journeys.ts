/**
 * Traces of random journeys: messages one after another, each with a fate of its own, on connections that come and go. For properties
 * that must hold whatever happened.
 */
import fc from 'fast-check';
import { array, bulk, GROUP, integer, memberOf, PROCESS, QUEUE, ScriptedTrace } from './scripted-trace.js';

const ANNA = `${PROCESS}anna`;
const BERT = `${PROCESS}bert`;
/** Serves the queue in good health. */
const RECEIVER = 2;

interface Scene {
  readonly trace: ScriptedTrace;
  /** When it begins, in ms; it is over after SCENE_MS. */
  readonly at: number;
  /** The message, for Anna and Bert. */
  readonly member: Buffer;
  /** A message that comes after it, in good health. */
  readonly next: Buffer;
  /** A connection of its own. */
  readonly connection: number;
}

const SCENE_MS = 100;
/** So many first that most pops of the queue are backed up, whatever follows. */
const SEEN_IN_GOOD_HEALTH = 13;

/** As channels_redis does it: who is a member, then the script. */
const send = (
  trace: ScriptedTrace,
  at: number,
  member: Buffer,
  of: { full?: number; noReply?: boolean } = {},
) => {
  trace.request(at - 2, 1, ['ZRANGE', GROUP, '0', '-1'], array(bulk(ANNA), bulk(BERT)));
  trace.groupSend(at, 1, member, of);
};

const healthy = ({ trace, at, member }: Scene): void => {
  send(trace, at, member);
  trace.receive(at + 5, RECEIVER, member);
};

/** Sent, taken on a connection of its own without a backup, and the queue goes on. */
const takenAlone = ({ trace, at, member, next, connection }: Scene, flushMs = 0): void => {
  send(trace, at, member);
  trace.restore(at + 5, connection);
  trace.poll(at + 10, connection, member, { flushMs });
  send(trace, at + 12, next);
  trace.receive(at + 30, RECEIVER, next);
};

/** What can happen to a message, by name. */
export const FATES: Readonly<Record<string, (scene: Scene) => void>> = {
  healthy,
  taken: ({ trace, at, member }) => {
    send(trace, at, member);
    trace.take(at + 5, RECEIVER, [member]);
    trace.request(at + 8, RECEIVER, ['ZREM', `${QUEUE}$inflight`, member], integer(1));
  },
  'backed up elsewhere': ({ trace, at, member, connection }) => {
    send(trace, at, member);
    trace.poll(at + 10, connection, member);
    trace.backup(at + 13, 1, member);
    trace.disconnect(at + 15, connection);
    trace.acknowledge(at + 17, 1, member);
  },
  'popped-then-disconnected': (scene) => {
    takenAlone(scene);
    scene.trace.disconnect(scene.at + 20, scene.connection);
  },
  'stray-pop': (scene) => {
    takenAlone(scene);
    scene.trace.leave(scene.at + 50, scene.connection, `${PROCESS}carl`);
  },
  'reply-desync': (scene) => {
    takenAlone(scene, 6);
    scene.trace.restore(scene.at + 14, scene.connection);
    scene.trace.disconnect(scene.at + 40, scene.connection);
  },
  'out of step since an earlier pop': ({ trace, at, member, next, connection }) => {
    send(trace, at, member);
    trace.poll(at + 10, connection, member, { flushMs: 6 });
    trace.restore(at + 14, connection);
    send(trace, at + 22, next);
    trace.poll(at + 25, connection, next);
    trace.disconnect(at + 38, connection);
    trace.restore(at + 40, RECEIVER);
  },
  'many requests at once, as a multiplexing client': ({ trace, at, member, next, connection }) => {
    send(trace, at, member);
    trace.poll(at + 10, connection, member, { flushMs: 1 });
    trace.leave(at + 11.5, connection, `${PROCESS}carl`);
    trace.backup(at + 14, connection, member);
    trace.acknowledge(at + 16, connection, member);
    send(trace, at + 20, next);
    trace.poll(at + 22, connection, next, { flushMs: 3 });
    trace.restore(at + 24, connection);
    trace.disconnect(at + 30, connection);
    trace.restore(at + 40, RECEIVER);
  },
  'redelivered-late': ({ trace, at, member, connection }) => {
    send(trace, at, member);
    trace.poll(at + 10, connection, member);
    trace.backup(at + 13, connection, member);
    trace.disconnect(at + 15, connection);
    trace.receive(at + 30, RECEIVER, member);
  },
  'lost at the second pop': ({ trace, at, member, next, connection }) => {
    send(trace, at, member);
    trace.poll(at + 5, RECEIVER, member);
    trace.backup(at + 8, RECEIVER, member);
    trace.restore(at + 12, connection);
    trace.poll(at + 15, connection, member);
    trace.disconnect(at + 20, connection);
    send(trace, at + 22, next);
    trace.receive(at + 30, RECEIVER, next);
  },
  'recipients-left': (scene) => {
    takenAlone(scene);
    scene.trace.leave(scene.at + 14, 1, ANNA);
    scene.trace.leave(scene.at + 15, 1, BERT);
    scene.trace.disconnect(scene.at + 20, scene.connection);
    scene.trace.join(scene.at + 60, 1, ANNA);
    scene.trace.join(scene.at + 61, 1, BERT);
  },
  'over-capacity': ({ trace, at, member }) => send(trace, at, member, { full: 1 }),
  rejected: ({ trace, at, member }) =>
    trace.request(at, 1, ['EVAL', 'script', '1', QUEUE, member, '1000', String(at / 1000), '60'], {
      kind: 'error',
      text: 'OOM command not allowed',
    }),
  'send-unconfirmed': ({ trace, at, member }) => send(trace, at, member, { noReply: true }),
  'never popped': ({ trace, at, member }) => send(trace, at, member),
  'gone from its queue': ({ trace, at, member }) => {
    send(trace, at, member);
    trace.poll(at + 20, RECEIVER, null);
  },
  'never acknowledged': ({ trace, at, member, connection }) => {
    send(trace, at, member);
    trace.poll(at + 10, connection, member);
    trace.backup(at + 13, connection, member);
  },
  'never received from again': ({ trace, at, member, connection }) => {
    send(trace, at, member);
    trace.poll(at + 10, connection, member);
  },
  'sent by send': ({ trace, at, member }) => {
    trace.request(at, 1, ['ZADD', QUEUE, String(at / 1000), member], integer(1));
    trace.receive(at + 5, RECEIVER, member);
  },
  'unknown script, then the script': ({ trace, at, member }) => {
    const rest = ['1', QUEUE, member, '1000', String(at / 1000), '60'];
    trace.request(at, 1, ['EVALSHA', 'f00d', ...rest], {
      kind: 'error',
      text: 'NOSCRIPT No matching script',
    });
    send(trace, at + 2, member);
    trace.receive(at + 5, RECEIVER, member);
  },
  'a consumer that comes and goes': (scene) => {
    scene.trace.join(scene.at, 1, `${PROCESS}guest${scene.at}`);
    healthy({ ...scene, at: scene.at + 3 });
    scene.trace.leave(scene.at + 40, 1, `${PROCESS}guest${scene.at}`);
  },
};

export interface RandomJourneys {
  readonly fates: readonly string[];
  readonly trace: ScriptedTrace;
}

/** Up to twelve messages, after Anna and Bert have joined and the queue was seen in good health. */
export const randomJourneys: fc.Arbitrary<RandomJourneys> = fc
  .array(fc.constantFrom(...Object.keys(FATES)), { minLength: 1, maxLength: 12 })
  .map((fates) => ({ fates, trace: traceOf(fates) }));

function traceOf(fates: readonly string[]): ScriptedTrace {
  const trace = new ScriptedTrace();
  trace.join(1, 1, ANNA);
  trace.join(2, 1, BERT);
  const scenes = [...Array.from({ length: SEEN_IN_GOOD_HEALTH }, () => 'healthy'), ...fates];
  for (const [at, fate] of scenes.entries()) {
    const to = [ANNA, BERT];
    const [member, next] = [memberOf('s', 2 * at, to), memberOf('s', 2 * at + 1, to)];
    trace.connect((at + 1) * SCENE_MS, 10 + at);
    FATES[fate]?.({ trace, at: (at + 1) * SCENE_MS, member, next, connection: 10 + at });
  }
  trace.watermarkUs = (scenes.length + 2) * SCENE_MS * 1000;
  return trace;
}

/** Spans within such a trace: short and long, of one connection or all, of one direction or both. */
export const randomCuts = (endUs: number, connections: readonly number[], longestUs = endUs) =>
  fc.array(
    fc
      .record({
        fromUs: fc.integer({ min: 0, max: endUs }),
        length: fc.oneof(fc.integer({ min: 0, max: 30_000 }), fc.integer({ min: 0, max: longestUs })),
        connection: fc.oneof(fc.constant(null), fc.constantFrom(...connections)),
        direction: fc.constantFrom('client' as const, 'redis' as const, null),
      })
      .map(({ fromUs, length, ...of }) => ({ ...of, fromUs, toUs: fromUs + length })),
    { minLength: 1, maxLength: 3 },
  );
