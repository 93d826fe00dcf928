/**
 * Globs as Redis' KEYS has them (stringmatchlen in util.c): `*`, `?`, `[a-z]`, `[^x]`, and `\` that takes the next character as it
 * is. Compiled into a regular expression; it is matched against text, or against bytes read as latin1.
 */
export function globMatcher(pattern: string): (name: string) => boolean {
  const expression = new RegExp(`^${translated(pattern)}$`, 'su');
  return (name) => expression.test(name);
}

function translated(pattern: string): string {
  const characters = [...pattern];
  let out = '';
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] as string;
    if (character === '*') out += '.*';
    else if (character === '?') out += '.';
    else if (character === '\\' && at + 1 < characters.length) out += literal(characters[++at] as string);
    else if (character === '[') {
      const set = readSet(characters, at + 1);
      out += set.expression;
      at = set.end;
    } else out += literal(character);
  }
  return out;
}

/** A set from behind its `[`; one that is not closed goes on to the pattern's end, as in Redis. */
function readSet(characters: readonly string[], start: number): { expression: string; end: number } {
  let at = start;
  const negated = characters[at] === '^';
  if (negated) at += 1;
  let members = '';
  for (; at < characters.length && characters[at] !== ']'; at++) {
    if (characters[at] === '\\' && at + 1 < characters.length) members += literal(characters[++at] as string);
    else if (characters[at + 1] === '-' && at + 2 < characters.length) {
      const ends = [characters[at] as string, characters[at + 2] as string].sort();
      members += `${literal(ends[0] as string)}-${literal(ends[1] as string)}`;
      at += 2;
    } else members += literal(characters[at] as string);
  }
  if (members === '') return { expression: negated ? '.' : '(?!)', end: at };
  return { expression: `[${negated ? '^' : ''}${members}]`, end: at };
}

function literal(character: string): string {
  return `\\u{${(character.codePointAt(0) as number).toString(16)}}`;
}
