/** Cells and tables of the pages. */
import type { Spread } from './statistics.js';

/** `1,234.5 (1,000.0..2,000.0)`: the median, and in brackets the ends. */
export function spread({ median, low, high }: Spread, decimals: number): string {
  return `${number(median, decimals)} (${number(low, decimals)}..${number(high, decimals)})`;
}

export function number(value: number, decimals = 0): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** The first `texts` columns are text, the others are numbers. Cells are shown as they are, `|` and line ends too. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], texts = 1): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  const rule = head.map((_, column) => (column < texts ? '---' : '--:'));
  return [line(head), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ');
}
