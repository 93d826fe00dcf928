import { describe, expect, it } from 'vitest';
import { CaptureReader } from './capture.js';

const HEADER = '{"format":"redis-wire-capture/1","started_unix_ms":1795440325097,"delay_ms":2}';

function reader(): CaptureReader {
  const capture = new CaptureReader('c.jsonl');
  capture.header(HEADER);
  return capture;
}

describe('a capture, line by line', () => {
  it('reads the header', () => {
    expect(new CaptureReader('c').header(HEADER)).toEqual({
      startedUnixUs: 1795440325097000,
      delayUs: 2000,
    });
  });

  it('reads events', () => {
    const capture = reader();
    expect(capture.event('{"t":5,"conn":1,"ev":"open"}', false)).toEqual({
      event: 'open',
      atUs: 5,
      connection: 1,
    });
    expect(capture.event('{"t":6,"conn":1,"ev":"data","from":"client","b64":"UElORw0K"}', false)).toEqual({
      event: 'data',
      atUs: 6,
      connection: 1,
      from: 'client',
      bytes: Buffer.from('PING\r\n'),
    });
    expect(capture.event('{"t":7,"conn":1,"ev":"close","from":"redis"}', true)).toEqual({
      event: 'close',
      atUs: 7,
      connection: 1,
      from: 'redis',
    });
  });

  it.each([
    ['hello', 'first line is not JSON'],
    ['{"a":1}', 'no "format"'],
    ['{"format":"pcap/9"}', 'the format "pcap/9"'],
    ['{"format":"redis-wire-capture/1"}', 'line 1: started_unix_ms'],
    ['{"format":"redis-wire-capture/1","started_unix_ms":1,"delay_ms":-1}', 'line 1: delay_ms'],
    ['null', 'no "format"'],
  ])('refuses the header %s', (line, said) => {
    expect(() => new CaptureReader('c.jsonl').header(line)).toThrow(said);
  });

  it.each([
    ['{"t":5,"conn":1,"ev":"op', 'line 2: not JSON'],
    ['{"conn":1,"ev":"open"}', 'line 2: t is not'],
    ['{"t":5,"conn":0,"ev":"open"}', 'line 2: conn is not'],
    ['{"t":5,"conn":1.5,"ev":"open"}', 'line 2: conn is not'],
    ['{"t":5,"conn":1,"ev":"opened"}', 'line 2: ev is "opened"'],
    ['{"t":5,"conn":1,"ev":"data","from":"me","b64":""}', 'line 2: from is'],
    ['{"t":5,"conn":1,"ev":"data","from":"redis"}', 'line 2: b64 is'],
    ['{"t":5,"conn":1,"ev":"data","from":"redis","b64":"a*b="}', 'line 2: b64 is'],
    ['{"t":5,"conn":1,"ev":"data","from":"redis","b64":"abc"}', 'line 2: b64 is'],
    ['7', 'line 2: t is not'],
  ])('refuses the line %s', (line, said) => {
    expect(() => reader().event(line, false)).toThrow(said);
  });

  it('says that a file was cut where its last line is not whole', () => {
    expect(() => reader().event('{"t":5,"conn":1,"ev":"op', true)).toThrow('line 2 ends in the middle');
  });

  it('refuses time that goes back', () => {
    const capture = reader();
    capture.event('{"t":5,"conn":1,"ev":"open"}', false);
    expect(() => capture.event('{"t":4,"conn":2,"ev":"open"}', false)).toThrow('line 3: t goes back');
  });
});
