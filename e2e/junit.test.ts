import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Analysis, analyze } from '../analysis/analyze.js';
import { renderJunit } from '../analysis/render/junit.js';
import { memberOf, ScriptedTrace } from '../analysis/testing/scripted-trace.js';
import type { GapReport } from '../clients/gap-report.js';
import { gaptrace } from './gaptrace.js';
import { ROOT } from './processes.js';

// JUnit XML is for other programs: it is read back here by a parser that is none of ours, Python's.

interface Element {
  readonly tag: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly text: string;
  readonly children: readonly Element[];
}

function parsed(xml: string): Element {
  const json = execFileSync('/usr/bin/python3', [join(ROOT, 'e2e/read_xml.py')], {
    input: xml,
    encoding: 'utf8',
  });
  return JSON.parse(json) as Element;
}

const childrenOf = (element: Element | undefined, tag: string) =>
  element?.children.filter((child) => child.tag === tag) ?? [];
const suiteOf = (xml: string) => parsed(xml).children[0] as Element;
const casesOf = (xml: string) => childrenOf(suiteOf(xml), 'testcase');

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'gaptrace-junit-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

test('the gaps of a recording, as CI reads them: a failure for each loss, with the cause and the story', async () => {
  const trace = join(directory, 't.db');
  const example = (file: string) => join(ROOT, 'examples', file);
  expect(await gaptrace('import', example('resp2.capture.jsonl.gz'), '--trace', trace)).toMatchObject({
    status: 0,
  });
  const asked = ['analyze-gap', trace, '--gaps', example('resp2.clients.jsonl.gz')];
  const { status, stdout } = await gaptrace(...asked, '--format', 'junit');
  expect(status).toBe(1);
  const json = JSON.parse((await gaptrace(...asked, '--json')).stdout) as Analysis;

  const suite = suiteOf(stdout);
  expect(suite.attributes).toMatchObject({
    ...{ name: trace, tests: String(json.findings.length + 1), errors: '0', skipped: '0' },
    failures: String(json.summary.lost),
    timestamp: json.trace.started_at,
  });
  const cases = casesOf(stdout);
  expect(cases).toHaveLength(json.findings.length + 1);
  for (const [i, finding] of json.findings.entries()) {
    const { attributes, children } = cases[i] as Element;
    expect(attributes).toEqual({
      classname: finding.room,
      name: `message ${finding.count} of sender ${finding.sender}`,
    });
    expect(children).toMatchObject([{ tag: 'failure', attributes: { type: finding.cause } }]);
    expect(children[0]?.text).toContain(`operation ${finding.operations[0]?.id},`);
    expect(children[0]?.text).toContain('What to do: ');
  }
  const facts = childrenOf(childrenOf(suite, 'properties')[0], 'property').map(
    ({ attributes }) => attributes,
  );
  expect(facts).toContainEqual({ name: 'trace.operations', value: String(json.trace.operations) });
  expect(facts).toContainEqual({ name: 'messages.delivered', value: String(json.summary.delivered) });
});

/** Message 1 of `sender` is delivered, 2 lost, 3 in its queue when the trace ends. */
function script(sender: string): ScriptedTrace {
  const trace = new ScriptedTrace();
  trace.groupSend(1, 1, memberOf(sender, 1));
  trace.receive(10, 2, memberOf(sender, 1));
  trace.groupSend(101, 1, memberOf(sender, 2));
  trace.poll(110, 3, memberOf(sender, 2));
  trace.disconnect(115, 3);
  trace.restore(120, 2);
  trace.groupSend(201, 1, memberOf(sender, 3));
  trace.watermarkUs = 205_000;
  return trace;
}

const gap = (sender: string, count: number, room: string): GapReport => ({
  ...{ client: `client of ${room}`, room, sender, expected: count, received: count + 1, missing: [count] },
  at: null,
});

function junitOf(sender: string, room: string, ...counts: number[]): string {
  const gaps = counts.map((count) => gap(sender, count, room));
  return renderJunit(
    analyze(script(sender), { ask: 'gaps', log: { gaps, received: [], sent: [], spokeAs: new Map() } }),
  );
}

test('lost fails; undecided and in flight are skipped, for a red test would blame; all else passes', () => {
  const cases = casesOf(junitOf('s', 'r', 2, 3, 0));
  expect(cases.map(({ children }) => children.map(({ tag }) => tag))).toEqual([
    ['failure'],
    ['skipped'],
    ['skipped'],
    ['system-out'],
  ]);
  expect(cases[1]?.children[0]?.attributes.message).toMatch(/^IN-FLIGHT /);
  expect(cases[2]?.children[0]?.attributes.message).toMatch(/^INDETERMINATE .*\n.*before the trace began/);
});

test('nothing lost: a report that is not empty, and passes', () => {
  const xml = renderJunit(analyze(new ScriptedTrace(), { ask: 'losses' }));
  expect(suiteOf(xml).attributes).toMatchObject({ tests: '1', failures: '0', errors: '0', skipped: '0' });
  expect(casesOf(xml)).toHaveLength(1);
});

test('a message lost in two queues has two test cases with different names', () => {
  const [finding] = analyze(script('s'), { ask: 'losses' }).findings;
  if (!finding) throw new Error('nothing was lost');
  const analysis = analyze(script('s'), { ask: 'losses' });
  const twice = {
    ...analysis,
    findings: [finding, { ...finding, queue: 'other!', room: 'r' }, { ...finding, room: 'r' }],
  };
  const names = casesOf(renderJunit(twice)).map(({ attributes }) => JSON.stringify(attributes));
  expect(new Set(names).size).toBe(names.length);
});

test('whatever senders and rooms are called, the document is well-formed, and nothing of them is left out', () => {
  const nasty = fc.string({ unit: 'binary', maxLength: 12 });
  const awkward = [
    '\u0000\u0008\u001b[31m',
    '\ud800',
    '\ufffe\uffff',
    ']]>',
    '<a b="c">&amp;\'',
    '\t\r\n',
    '\u0085\u2028',
  ];
  const names = [...awkward, ...fc.sample(nasty, { numRuns: 13, seed: 1683 })];
  for (const name of names) {
    const [lost] = casesOf(junitOf(`s${name}`, `r${name}`, 2));
    const said = lost?.attributes.classname?.replace(/\\u([0-9a-f]{4})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    expect(said).toBe(`r${name}`);
  }
});
