import { describe, expect, it } from 'vitest';
import { type Beat, episodeOf, outOfStepEpisodes } from './out-of-step.js';

/** A connection in a script: `>` a request at a time, `<` its reply handed to the client at a time. */
function beat(
  id: number,
  command: string,
  atUs: number,
  flushedUs: number | null,
  more: Partial<Beat> = {},
): Beat {
  return {
    id,
    command,
    requestedUs: atUs,
    repliedUs: flushedUs,
    flushedUs,
    pipelined: false,
    inTransaction: false,
    answered: true,
    receive: null,
    ...more,
  };
}
const pop = (id: number, atUs: number, flushedUs: number, member: string, lost = false) =>
  beat(id, 'BZPOPMIN', atUs, flushedUs, { receive: { step: 'pop', member, lost } });
const backup = (id: number, atUs: number, flushedUs: number, member: string) =>
  beat(id, 'ZADD', atUs, flushedUs, { receive: { step: 'backup', member } });
const acknowledge = (id: number, atUs: number, flushedUs: number) =>
  beat(id, 'ZPOPMIN', atUs, flushedUs, { receive: { step: 'acknowledge' } });
const cycle = (id: number, atUs: number, member: string) => [
  pop(id, atUs, atUs + 10, member),
  backup(id + 1, atUs + 20, atUs + 30, member),
  acknowledge(id + 2, atUs + 40, atUs + 50),
];

describe('a connection is out of step', () => {
  it('never, when each request waits for the reply before it', () => {
    expect(
      outOfStepEpisodes([...cycle(1, 0, 'a'), pop(4, 100, 110, 'b', true), ...cycle(5, 200, 'c')]),
    ).toEqual([]);
  });

  it('from the pop whose reply was owed, to the first matching cycle', () => {
    const beats = [
      ...cycle(1, 0, 'a'),
      pop(4, 100, 200, 'b', true),
      beat(5, 'EVAL', 150, 210), // sent before the client had the reply to 4
      pop(6, 220, 230, 'c', true), // the replies have caught up, but go to the wrong callers
      ...cycle(7, 300, 'd'),
      pop(10, 400, 410, 'e', true), // lost after the episode: another cause
    ];
    const episodes = outOfStepEpisodes(beats);
    expect(episodes).toEqual([{ firstId: 4, endId: 7, overlapId: 5, owedId: 4 }]);
    expect([1, 4, 6, 7, 10].map((id) => episodeOf(episodes, id) !== undefined)).toEqual([
      false,
      true,
      true,
      false,
      false,
    ]);
  });

  it('to its end, when it never falls back into step', () => {
    const beats = [
      ...cycle(1, 0, 'a'),
      pop(4, 100, 200, 'b', true),
      beat(5, 'EVAL', 150, 210),
      pop(6, 220, 230, 'c', true),
    ];
    expect(outOfStepEpisodes(beats)).toEqual([{ firstId: 4, endId: null, overlapId: 5, owedId: 4 }]);
  });

  it('not from a lost pop before any reply was owed', () => {
    const beats = [
      pop(1, 0, 10, 'a', true),
      beat(2, 'EVAL', 20, 120),
      pop(3, 130, 230, 'b', true),
      beat(4, 'EVAL', 200, 240),
    ];
    expect(outOfStepEpisodes(beats)).toMatchObject([{ firstId: 3 }]);
  });

  it('from the pop on, when the first reply owed was of something else', () => {
    const beats = [
      backup(1, 0, 100, 'z'),
      beat(2, 'EVAL', 50, 110),
      pop(3, 120, 220, 'b', true),
      beat(4, 'EVAL', 200, 230),
    ];
    expect(outOfStepEpisodes(beats)).toMatchObject([{ firstId: 3, endId: null }]);
  });
});

describe('what does not count', () => {
  it('a handshake: pairs of CLIENT SETINFO, HELLO, AUTH, SELECT', () => {
    const beats = [
      beat(1, 'CLIENT', 0, 100),
      beat(2, 'CLIENT', 10, 110),
      beat(3, 'SELECT', 20, 120),
      pop(4, 200, 210, 'a', true),
    ];
    expect(outOfStepEpisodes(beats)).toEqual([]);
  });

  it('a pipeline in one chunk', () => {
    const beats = [pop(1, 0, 100, 'a', true), beat(2, 'ZADD', 0, 110, { pipelined: true })];
    expect(outOfStepEpisodes(beats)).toEqual([]);
  });

  it('a transaction', () => {
    const beats = [pop(1, 0, 100, 'a', true), beat(2, 'MULTI', 50, 110, { inTransaction: true })];
    expect(outOfStepEpisodes(beats)).toEqual([]);
  });

  it('a request that Redis does not answer', () => {
    const beats = [
      beat(1, 'ZADD', 0, null, { answered: false }),
      pop(2, 10, 20, 'a', true),
      beat(3, 'EVAL', 30, 40),
    ];
    expect(outOfStepEpisodes(beats)).toEqual([]);
  });

  it('a client that multiplexes: it overlaps requests and stays in step', () => {
    const beats = [
      beat(1, 'EVAL', 0, 100),
      beat(2, 'EVAL', 50, 110),
      ...cycle(3, 200, 'a'), // an overlap, and then a cycle that lost nothing
      pop(6, 300, 400, 'b', true),
      beat(7, 'EVAL', 350, 410),
      pop(8, 420, 430, 'c', true),
    ];
    expect(outOfStepEpisodes(beats)).toEqual([]);
  });
});
