import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { analyze } from './analyze.js';
import { Evidence } from './evidence.js';
import { Judge } from './judge.js';
import { GROUP, integer, PROCESS, QUEUE, ScriptedTrace } from './testing/scripted-trace.js';

// A layer with `symmetric_encryption_keys`: a member is 12 random bytes and a Fernet token. Who it is for only the roll calls say.

const [ANNA, BERT, CARL] = [`${PROCESS}anna`, `${PROCESS}bert`, `${PROCESS}carl`];
const ROOM_B = `${GROUP}_b`;

function encrypted(count: number): Buffer {
  const token = createHash('sha256').update(`${count}`).digest('base64url');
  return Buffer.concat([Buffer.alloc(12, `${count}`), Buffer.from(`gAAAAA${token}`)]);
}

const LOST = encrypted(10);

/** A group_send: the roll call, and 2 ms later the script. */
function send(
  trace: ScriptedTrace,
  atMs: number,
  member: Buffer,
  channels: readonly string[],
  group = GROUP,
) {
  trace.rollCall(atMs, 1, channels, group);
  trace.groupSend(atMs + 2, 1, member);
}

/** Anna and Bert in room a, Carl in room b, all of one process; three messages in good health. */
function healthy(): ScriptedTrace {
  const trace = new ScriptedTrace();
  trace.join(1, 1, ANNA);
  trace.join(2, 1, BERT);
  trace.join(3, 1, CARL, ROOM_B);
  for (const [i, at] of [100, 200, 300].entries()) {
    send(trace, at, encrypted(i), [ANNA, BERT]);
    trace.receive(at + 10, 2, encrypted(i));
  }
  return trace;
}

/** Connection 3 takes what was lost, at 3010 ms, and closes; the next step is at 3020 ms. */
function popped(trace: ScriptedTrace): ScriptedTrace {
  trace.poll(3010, 3, LOST);
  trace.disconnect(3015, 3);
  trace.restore(3020, 2);
  trace.poll(3022, 2, null);
  return trace;
}

function lost(script: (trace: ScriptedTrace) => void): ScriptedTrace {
  const trace = healthy();
  script(trace);
  return popped(trace);
}

function judged(trace: ScriptedTrace) {
  const found = new Judge(new Evidence(trace)).all().filter(({ member }) => member.equals(LOST));
  expect(found).toHaveLength(1);
  const { verdict, cause, alternatives, because, present, payload } = found[0]!;
  return { verdict, cause, alternatives, because, present, recipients: payload.recipients };
}

const POPPED = { verdict: 'lost', cause: 'popped-then-disconnected' };
const UNDECIDED = {
  ...{ verdict: 'indeterminate', cause: null },
  alternatives: ['popped-then-disconnected', 'recipients-left'],
};

describe('where one roll call can be its own', () => {
  it('that names the recipients', () => {
    const trace = lost((script) => send(script, 3000, LOST, [ANNA, BERT]));
    expect(judged(trace)).toMatchObject({
      ...POPPED,
      recipients: [ANNA, BERT],
      present: [ANNA, BERT],
    });
    const [finding] = analyze(trace, { ask: 'losses' }).findings;
    expect(finding).toMatchObject({ sender: null, group: GROUP, excerpt: null });
    expect(finding?.explanation).toContain(
      `Its payload is encrypted or of another format, so gaptrace names it by digest; who it was for, the roll call`,
    );
    expect(finding?.explanation).toContain(`The message ${finding?.member} was put into queue`);
  });

  it('lost to Bert, where Anna had left', () => {
    const trace = lost((script) => {
      send(script, 3000, LOST, [ANNA, BERT]);
      script.leave(3005, 1, ANNA);
    });
    expect(judged(trace)).toMatchObject({ ...POPPED, present: [BERT] });
  });

  it('innocent: all of them had left, though Carl is still there', () => {
    const trace = lost((script) => {
      send(script, 3000, LOST, [ANNA, BERT]);
      script.leave(3005, 1, ANNA);
      script.leave(3006, 1, BERT);
    });
    expect(judged(trace).verdict).toBe('recipients-left');
  });

  it('roll calls of other rooms that were used up before do not count', () => {
    const trace = lost((script) => {
      send(script, 2990, encrypted(20), [CARL], ROOM_B);
      script.receive(2993, 2, encrypted(20));
      send(script, 3000, LOST, [ANNA, BERT]);
      script.leave(3005, 1, CARL, ROOM_B);
    });
    expect(judged(trace)).toMatchObject({ ...POPPED, recipients: [ANNA, BERT] });
  });

  it('a script that Redis did not know by its hash is sent again, with its text, for the same roll call', () => {
    const trace = lost((script) => {
      script.rollCall(3000, 1, [ANNA, BERT]);
      const noscript = { kind: 'error', text: 'NOSCRIPT No matching script.' } as const;
      script.request(3002, 1, ['EVALSHA', 'f00d', '1', QUEUE, LOST, '9', '3', '60'], noscript);
      script.groupSend(3004, 1, LOST);
    });
    expect(judged(trace)).toMatchObject({ ...POPPED, recipients: [ANNA, BERT] });
  });

  it('nor do those of other processes', () => {
    const trace = lost((script) => {
      const elsewhere = 'specific.ffffffffffffffffffffffffffffffff!x';
      script.rollCall(2999, 4, [elsewhere], ROOM_B);
      send(script, 3000, LOST, [ANNA, BERT]);
      script.leave(3005, 1, elsewhere, ROOM_B);
    });
    expect(judged(trace)).toMatchObject({ ...POPPED, recipients: [ANNA, BERT] });
  });
});

describe('where several can be its own', () => {
  /** Two senders at once: both roll calls come before both scripts. */
  function both(script: ScriptedTrace): void {
    script.rollCall(2998, 1, [ANNA], GROUP);
    script.rollCall(2998, 4, [CARL], ROOM_B);
    script.groupSend(3000, 4, encrypted(20));
    script.groupSend(3001, 1, LOST);
    script.receive(3002, 2, encrypted(20));
  }

  it('lost where none of them had left, for nobody knows whom', () => {
    const trace = lost(both);
    expect(judged(trace)).toMatchObject({ ...POPPED, recipients: null, present: null });
    const [finding] = analyze(trace, { ask: 'losses' }).findings;
    expect(finding?.explanation).toContain(
      'Its payload is encrypted or of another format, so gaptrace names it by digest and cannot say who it was for.',
    );
  });

  it('innocent: undecided where all of one had left', () => {
    const trace = lost((script) => {
      both(script);
      script.leave(3013, 1, CARL, ROOM_B);
    });
    expect(judged(trace)).toMatchObject(UNDECIDED);
    expect(judged(trace).because).toContain(`it may have been for ${CARL} alone, and by then they had left`);
  });

  it('innocent: all of all had left', () => {
    const trace = lost((script) => {
      both(script);
      script.leave(3013, 1, CARL, ROOM_B);
      script.leave(3014, 1, ANNA);
    });
    expect(judged(trace).verdict).toBe('recipients-left');
  });

  it('a roll call that nobody used (its sender was cancelled) counts for a second', () => {
    const cancelledAt = (atMs: number) =>
      lost((script) => {
        script.rollCall(atMs, 4, [CARL], ROOM_B);
        script.leave(atMs + 3, 1, CARL, ROOM_B);
        for (let i = 20; i < 23; i++) {
          send(script, 1500 + i * 10, encrypted(i), [ANNA, BERT]);
          script.receive(1505 + i * 10, 2, encrypted(i));
        }
        send(script, 3000, LOST, [ANNA, BERT]);
      });
    expect(judged(cancelledAt(1400))).toMatchObject({ ...POPPED, recipients: [ANNA, BERT] });
    expect(judged(cancelledAt(2990))).toMatchObject(UNDECIDED);
  });

  it('a sender that stood still for two seconds: its roll call is long ago', () => {
    const trace = lost((script) => {
      script.rollCall(1000, 4, [CARL], ROOM_B);
      script.leave(1500, 1, CARL, ROOM_B);
      send(script, 2990, encrypted(20), [ANNA, BERT]);
      script.receive(2993, 2, encrypted(20));
      script.groupSend(3002, 4, LOST);
    });
    expect(judged(trace)).toMatchObject(UNDECIDED);
  });
});

describe('where no roll call tells', () => {
  const withoutCall = (script: ScriptedTrace) => script.groupSend(3002, 1, LOST);
  const bySend = (script: ScriptedTrace) => script.request(3002, 1, ['ZADD', QUEUE, '3', LOST], integer(1));

  it.each([
    ['it is not in the trace', withoutCall],
    ['it was sent to one channel', bySend],
  ])('%s: lost where nobody ever left the process, undecided where somebody did', (_, enqueue) => {
    expect(judged(lost(enqueue))).toMatchObject({ ...POPPED, recipients: null, present: null });
    const left = lost((script) => {
      script.leave(1000, 1, CARL, ROOM_B);
      enqueue(script);
    });
    expect(judged(left)).toMatchObject(UNDECIDED);
  });

  it('a hole that may hide one, or a departure', () => {
    const holed = (fromMs: number, toMs: number, direction: 'client' | 'redis' | null = null) =>
      lost((script) => {
        script.leave(1000, 1, CARL, ROOM_B);
        send(script, 3000, LOST, [ANNA, BERT]);
        script.hole(fromMs, toMs, { connection: 77, direction });
      });
    expect(judged(holed(2500, 2600)).verdict).toBe('indeterminate');
    expect(judged(holed(2500, 2600, 'redis'))).toMatchObject(UNDECIDED);
    expect(judged(holed(3100, 3200, 'redis'))).toMatchObject({ ...POPPED, recipients: [ANNA, BERT] });
  });

  it('a roll call without an answer may be it', () => {
    const trace = lost((script) => {
      script.leave(1000, 1, CARL, ROOM_B);
      script.request(2999, 4, ['ZRANGE', ROOM_B, '0', '-1'], null, { noReply: true });
      send(script, 3000, LOST, [ANNA, BERT]);
    });
    expect(judged(trace)).toMatchObject(UNDECIDED);
  });

  it('two members for one queue in one script: which of them is whose is not known', () => {
    const trace = lost((script) => {
      script.leave(1000, 1, CARL, ROOM_B);
      script.rollCall(3000, 1, [ANNA, BERT]);
      const args = ['EVAL', 'x', '2', QUEUE, QUEUE, encrypted(30), LOST, '9', '9', '3', '60'];
      script.request(3002, 1, args, integer(0));
      script.receive(3003, 2, encrypted(30));
    });
    expect(judged(trace)).toMatchObject(UNDECIDED);
  });
});

it('what was popped, backed up and acknowledged is delivered, whoever it was for', () => {
  const trace = healthy();
  trace.leave(1000, 1, CARL, ROOM_B);
  trace.groupSend(3000, 1, LOST);
  trace.receive(3010, 2, LOST);
  expect(judged(trace).verdict).toBe('delivered');
});
