/**
 * Findings as JUnit XML, as Jenkins, GitLab and the reporters of GitHub Actions read it: a test suite for the trace, a test case for each
 * finding (its class the room, or else the queue; its name the message).
 *
 *   a loss                      <failure type="cause">, with the story as its text
 *   undecided, or in flight     <skipped>: nothing was proven, so nobody is blamed, and a red test would blame; that it is not nothing
 *                               either, the exit status (3) says
 *   anything else               passed, with the story as its output
 *
 * What became of all messages is counted in one test case that passes, so that the report of a healthy trace is not empty: Jenkins
 * takes an empty one for an error. Facts on the trace are properties of the suite.
 */
import type { Analysis } from '../analyze.js';
import type { Finding } from '../finding.js';
import { isLoss, isOpen } from '../verdict.js';
import { heading, storyLines, summaryLine } from './text.js';

/** The whole document. */
export function renderJunit(analysis: Analysis): string {
  const { trace, findings } = analysis;
  const failures = findings.filter(({ verdict }) => isLoss(verdict)).length;
  const skipped = findings.filter(({ verdict }) => isOpen(verdict)).length;
  const counts = { tests: findings.length + 1, failures, errors: 0, skipped };
  const time = (trace.duration_us / 1e6).toFixed(6);
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${attributes({ name: 'gaptrace', ...counts, time })}>`,
    `<testsuite${attributes({ name: trace.path, ...counts, time, timestamp: trace.started_at })}>`,
    ...properties(analysis),
    ...testcases(findings),
    `<testcase${attributes({ classname: 'gaptrace', name: 'messages counted' })}>`,
    `<system-out>${xmlText(summaryLine(analysis))}</system-out>`,
    '</testcase>',
    '</testsuite>',
    '</testsuites>',
  ];
  return `${lines.join('\n')}\n`;
}

function properties({ trace, summary }: Analysis): string[] {
  const facts = Object.entries({ ...trace }).map(([name, value]) => ({ name: `trace.${name}`, value }));
  const counted = Object.entries(summary).map(([name, value]) => ({ name: `messages.${name}`, value }));
  return [
    '<properties>',
    ...[...facts, ...counted].map((property) => `<property${attributes(property)}/>`),
    '</properties>',
  ];
}

/** GitLab passes over a second test case of the same name: one message lost in two queues has two, told apart by the queue. */
function testcases(findings: readonly Finding[]): string[] {
  const seen = new Set<string>();
  return findings.map((finding) => {
    const { room, queue, sender, count, member } = finding;
    const classname = room ?? queue ?? 'no queue';
    const message = sender === null ? `message ${member ?? '?'}` : `message ${count} of sender ${sender}`;
    const key = JSON.stringify([classname, message]);
    const name = seen.has(key) ? `${message} in ${queue}` : message;
    seen.add(key);
    return `<testcase${attributes({ classname, name })}>\n${outcome(finding)}\n</testcase>`;
  });
}

function outcome(finding: Finding): string {
  const { verdict, cause } = finding;
  const about = { message: heading(finding), type: cause ?? verdict };
  const story = xmlText(storyLines(finding).join('\n'));
  if (isLoss(verdict)) return `<failure${attributes(about)}>${story}</failure>`;
  // Readers of <skipped> show its message and nothing else.
  if (isOpen(verdict))
    return `<skipped${attributes({ message: `${about.message}\n${finding.explanation}` })}/>`;
  return `<system-out>${story}</system-out>`;
}

function attributes(values: Readonly<Record<string, unknown>>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${xmlText(String(value)).replace(/[\t\n\r]/g, characterReference)}"`)
    .join('');
}

/** What XML 1.0 (section 2.2) does not allow even as a reference: most control characters, half a surrogate pair, U+FFFE and U+FFFF. */
const FORBIDDEN = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu;

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Text for XML; what XML cannot hold is shown as `\u` and four digits. */
function xmlText(text: string): string {
  return text
    .replace(FORBIDDEN, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .replace(/[&<>"]/g, (character) => ENTITIES[character] ?? character);
}

/** In an attribute a line end would become a space. */
function characterReference(character: string): string {
  return `&#${character.charCodeAt(0)};`;
}
