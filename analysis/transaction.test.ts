import { describe, expect, it } from 'vitest';
import type { TraceOperation } from '../proxy/trace/trace.js';
import { array, integer, nil, ScriptedTrace } from './testing/scripted-trace.js';
import { Transactions } from './transaction.js';

const trim = (queue: string) => ['ZREMRANGEBYSCORE', queue, '0', '1'];
const THREE = [
  [trim('a'), integer(1)],
  [trim('b'), integer(2)],
  [trim('c'), integer(3)],
] as const;

/** What took effect of the operations that are left, each key with its reply. */
function ended(trace: ScriptedTrace, left: (operation: TraceOperation) => boolean = () => true) {
  const transactions = new Transactions();
  return [...trace.operations()].filter(left).flatMap((operation) => {
    const { transaction } = operation;
    if (transaction === null) return [];
    return [...transactions.ended(operation, transaction)].map(
      ([one, reply]) => [one.args[1]?.toString(), reply] as const,
    );
  });
}

function scripted(abort?: Parameters<ScriptedTrace['transaction']>[3]): ScriptedTrace {
  const trace = new ScriptedTrace();
  trace.request(1, 1, ['PING'], { kind: 'simple', text: 'PONG' });
  trace.transaction(10, 1, THREE, abort);
  return trace;
}

const key = ({ args }: TraceOperation) => args[1]?.toString() ?? '';

describe('what a transaction did', () => {
  it('took effect in its order, each command with its item of the reply', () => {
    expect(ended(scripted())).toEqual([
      ['a', integer(1)],
      ['b', integer(2)],
      ['c', integer(3)],
    ]);
  });

  it('is known by its place, where other commands are left out', () => {
    expect(ended(scripted(), (one) => key(one) !== 'a')).toEqual([
      ['b', integer(2)],
      ['c', integer(3)],
    ]);
    expect(ended(scripted(), (one) => !['a', 'c'].includes(key(one)))).toEqual([['b', integer(2)]]);
  });

  it('is not known where its MULTI is left out, nor where there are fewer places than items', () => {
    expect(ended(scripted(), ({ command }) => command !== 'MULTI')).toEqual([
      ['a', null],
      ['b', null],
      ['c', null],
    ]);
    const hidden = scripted({ abort: array(integer(1), integer(7), integer(2), integer(3)) });
    expect(ended(hidden)).toEqual([
      ['a', null],
      ['b', null],
      ['c', null],
    ]);
  });

  it('is nothing where it was aborted', () => {
    expect(ended(scripted({ abort: nil }))).toEqual([]);
    expect(ended(scripted({ abort: { kind: 'error', text: 'EXECABORT Transaction discarded' } }))).toEqual(
      [],
    );
  });

  it('is nothing where it was discarded', () => {
    const trace = scripted();
    expect(ended(trace, ({ command }) => command !== 'EXEC')).toEqual([]);
  });
});
