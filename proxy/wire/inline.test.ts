import { describe, expect, it } from 'vitest';
import { splitInline } from './inline.js';

const words = (line: string) =>
  splitInline(Buffer.from(line, 'latin1'))?.map((word) => word.value.toString('latin1')) ?? null;

describe('splitInline, as sdssplitargs', () => {
  it('splits at blanks', () => {
    expect(words(' GET\t k  \r\n')).toEqual(['GET', 'k']);
    expect(words('')).toEqual([]);
    expect(words(' \r\n')).toEqual([]);
  });

  it('knows double quotes and their escapes', () => {
    expect(words('SET "a b" "\\x41\\n\\r\\t\\b\\a\\"\\\\\\q"')).toEqual(['SET', 'a b', 'A\n\r\t\b\x07"\\q']);
    expect(words('"\\x4"')).toEqual(['x4']);
    expect(words('""')).toEqual(['']);
  });

  it('knows single quotes and their one escape', () => {
    expect(words("'it\\'s' '\\n'")).toEqual(["it's", '\\n']);
  });

  it('takes a quote inside of a word for the start of a quoted part', () => {
    expect(words('AU"TH" x')).toEqual(['AUTH', 'x']);
  });

  it('refuses quotes that do not close, or close in the midst of a word', () => {
    for (const line of ['"a', "'a", '"a"b', "'a'b", '"a\\"']) expect(words(line)).toBeNull();
  });

  it('says where the words stand, quotes included', () => {
    const found = splitInline(Buffer.from('AUTH "my pass" x'));
    expect(found?.map(({ start, end }) => [start, end])).toEqual([
      [0, 4],
      [5, 14],
      [15, 16],
    ]);
  });

  it('lets a vertical tab be part of a word, as Redis does', () => {
    expect(words('a\vb')).toEqual(['a\vb']);
  });
});
