/** Numbers as people type them and read them. */

/** A parser of whole numbers within bounds, both included. It throws RangeError that says the bounds. */
export function wholeNumber(from: number, to = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= from && value <= to) return value;
    const range = to === Number.MAX_SAFE_INTEGER ? `${from} or more` : `${from} to ${to}`;
    throw new RangeError(`a whole number, ${range}`);
  };
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9 };

/** `10M` -> 10000000; `250k`, `1500`. At least 1. Throws RangeError. */
export function parseAmount(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kmg]?)$/i.exec(text);
  const value = match ? Math.round(Number(match[1]) * (UNITS[(match[2] ?? '').toLowerCase()] as number)) : 0;
  if (value >= 1 && value <= Number.MAX_SAFE_INTEGER) return value;
  throw new RangeError('a number such as 50000, 250k or 10M');
}

/** `1 hole`, `2 holes`. */
export function count(n: number, what: string, plural = 's'): string {
  return `${n} ${what}${n === 1 ? '' : plural}`;
}
