import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeRequest } from './decode-request.js';
import { request } from './splits.js';

const text = (args: readonly Buffer[]) => args.map((arg) => arg.toString('latin1'));

describe('decodeRequest', () => {
  it('decodes a RESP request', () => {
    expect(text(decodeRequest(request('SET', 'k', ''), false))).toEqual(['SET', 'k', '']);
  });

  it('decodes an inline request', () => {
    expect(text(decodeRequest(Buffer.from('SET "a b" c\r\n'), false))).toEqual(['SET', 'a b', 'c']);
    expect(decodeRequest(Buffer.from('\r\n'), false)).toEqual([]);
  });

  it('gives an empty request no arguments', () => {
    expect(decodeRequest(Buffer.from('*0\r\n'), false)).toEqual([]);
    expect(decodeRequest(Buffer.from('*-1\r\n'), false)).toEqual([]);
    expect(decodeRequest(Buffer.alloc(0), false)).toEqual([]);
  });

  it('gives what is there of a cut request, the last argument short', () => {
    const whole = request('SET', 'key', 'value');
    const seen = whole
      .map((_, at) => at)
      .reduce<Set<string>>((all, at) => {
        return all.add(text(decodeRequest(whole.subarray(0, at), true)).join(' '));
      }, new Set());
    expect([...seen]).toEqual([
      '',
      'S',
      'SE',
      'SET',
      'SET ',
      'SET k',
      'SET ke',
      'SET key',
      'SET key ',
      'SET key v',
      'SET key va',
      'SET key val',
      'SET key valu',
      'SET key value',
    ]);
  });

  it('decodes as ever after bytes that stop in the middle or break the parser', () => {
    for (const bytes of [
      '*2\r\n$3\r\nGET\r\n',
      '*4294967296\r\n',
      '*1\r\n*1\r\n:1\r\n',
      '*1\r\n:5\r\n',
      '*1\r\n$x\r\n',
      '*',
    ]) {
      decodeRequest(Buffer.from(bytes), false);
      expect(text(decodeRequest(request('GET', 'k'), false))).toEqual(['GET', 'k']);
    }
  });

  it('takes the line ends that Redis takes', () => {
    expect(text(decodeRequest(Buffer.from('*2\r\n$3\r\nGETzz$1\r\nkzz'), false))).toEqual(['GET', 'k']);
  });

  it('gives back any arguments (property)', () => {
    const words = fc.array(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      { minLength: 1 },
    );
    const property = fc.property(words, (args) => {
      expect(text(decodeRequest(request(...args), false))).toEqual(text(args));
      expect(text(decodeRequest(request(...args), true))).toEqual(text(args));
    });
    fc.assert(property);
  });

  it('never throws (property)', () => {
    const token = fc.constantFrom('*', '$', '\r\n', '0', '1', '3', '99999999999', 'GET', '"', ':', '-');
    const soup = fc.oneof(
      fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
      fc.array(token, { maxLength: 30 }).map((tokens) => Buffer.from(tokens.join(''))),
    );
    const property = fc.property(soup, fc.boolean(), (bytes, cut) => {
      expect(decodeRequest(bytes, cut).every(Buffer.isBuffer)).toBe(true);
    });
    fc.assert(property, { numRuns: 1000 });
    expect(text(decodeRequest(request('GET', 'k'), false))).toEqual(['GET', 'k']);
  });
});
