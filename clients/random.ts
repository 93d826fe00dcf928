/**
 * Numbers that look random and are the same for the same seed. Not for secrets.
 *
 * Each name has a stream of its own, so that one more client changes nothing for the others. The generator is mulberry32 by
 * Tommy Ettinger (public domain), seeded by FNV-1a of seed and name.
 */
export function randomStream(seed: number, name: string): () => number {
  let state = 0x811c9dc5;
  for (const byte of Buffer.from(`${seed}/${name}`)) state = Math.imul(state ^ byte, 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
