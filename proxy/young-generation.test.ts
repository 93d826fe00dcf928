// In processes of their own, as the limit is a flag of a process. Uses the built dist/.
import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';

const MODULE = new URL('../dist/proxy/young-generation.js', import.meta.url).href;

/** How large the young generation gets where many objects live for a while. */
function largestBytes(limited: boolean): number {
  const script = `
    import { limitYoungGeneration, youngGenerationBytes } from '${MODULE}';
    if (${limited}) limitYoungGeneration(5);
    let kept = [];
    let largest = 0;
    const step = (left) => {
      for (let i = 0; i < 20_000; i++) kept.push({ i, of: [i, i] });
      if (kept.length > 150_000) kept = kept.slice(50_000);
      largest = Math.max(largest, youngGenerationBytes());
      if (left > 0) setImmediate(step, left - 1);
      else console.log(largest);
    };
    step(400);`;
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }));
}

it('grows to 8 MB and not beyond, where V8 would let it', () => {
  expect(largestBytes(false)).toBeGreaterThan(17_000_000);
  expect(largestBytes(true)).toBeLessThan(9_000_000);
});
