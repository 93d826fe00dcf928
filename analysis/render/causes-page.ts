/**
 * docs/causes.md: what each cause says of itself, for a person who looks up the name that a finding gave. Made from the causes' own
 * texts by `npm run docs`, so that the page and the verdicts cannot tell two stories; a test compares them.
 */
import type { Meaning } from '../causes/cause.js';
import { MEANINGS } from '../causes/index.js';

const HEAD = `# Why a message was lost

Every cause that a finding of \`analyze-gap\` can name: what happened, what in a trace would prove it wrong, and what to do. Made by
\`npm run docs\` from \`analysis/causes/\`, where each has a file that says how it is told from its neighbours. Where the evidence allows
two of them, the verdict is \`indeterminate\` and both are listed.
`;

/** The whole page, Markdown. */
export function causesPage(meanings: Iterable<Meaning> = MEANINGS.values()): string {
  const all = [...meanings];
  const rows = all.map(
    ({ id, verdict, meaning }) => `| [\`${id}\`](#${id}) | \`${verdict}\` | ${cell(meaning)} |`,
  );
  return [
    HEAD,
    ['| cause | verdict | what happened |', '|---|---|---|', ...rows, ''].join('\n'),
    ...all.map(section),
  ].join('\n');
}

function section({ id, verdict, meaning, refutedBy, advice }: Meaning): string {
  return `## ${id}

${meaning} Verdict: \`${verdict}\`.

**Proven wrong by:** ${refutedBy}

**What to do:** ${advice}
`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
