import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { MEANINGS } from '../causes/index.js';
import { causesPage } from './causes-page.js';

it('docs/causes.md is what the causes say: `npm run docs` makes it', () => {
  expect(readFileSync('docs/causes.md', 'utf8')).toBe(causesPage());
});

it('has a line and a section for each cause', () => {
  const page = causesPage();
  for (const { id, advice, refutedBy } of MEANINGS.values()) {
    expect(page).toContain(`| [\`${id}\`](#${id}) |`);
    expect(page).toContain(`\n## ${id}\n`);
    expect(page).toContain(advice);
    expect(page).toContain(refutedBy);
  }
});

it('a bar in a text does not end its cell', () => {
  const meaning = { id: 'x', verdict: 'lost', meaning: 'a | b', refutedBy: 'c', advice: 'd' } as const;
  expect(causesPage([meaning])).toContain('| [`x`](#x) | `lost` | a \\| b |');
});
