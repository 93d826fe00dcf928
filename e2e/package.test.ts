import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { memberOf, QUEUE } from '../analysis/testing/scripted-trace.js';
import { gaptrace, startProxy } from './gaptrace.js';
import { ROOT, run } from './processes.js';
import { startRedis } from './redis.js';

// The package as a stranger has it: packed by npm, unpacked beside nothing but the packages that it says it needs, compiled against with
// strict TypeScript (libraries checked too), and run by node.

let project: string;
const at = (...path: string[]) => join(project, ...path);

/** What the compiler says of all three programs below: compiled once, for it takes its time. */
let compiled: string;

/** A healthy trace, and one with losses. */
const HEALTHY = 'healthy.db';
const LOSSES = 'losses.db';

beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), 'gaptrace-package-'));
  await unpackInto(at('node_modules'));
  writeFileSync(at('package.json'), '{ "type": "module" }');
  const options = { target: 'es2023', module: 'nodenext', strict: true, exactOptionalPropertyTypes: true };
  writeFileSync(
    at('tsconfig.json'),
    JSON.stringify({ compilerOptions: { ...options, types: ['node'], skipLibCheck: false } }),
  );
  const capture = join(ROOT, 'examples/resp2.capture.jsonl.gz');
  expect(await gaptrace('import', capture, '--trace', at(LOSSES))).toMatchObject({ status: 0 });
  await recordHealth(at(HEALTHY));
  writeFileSync(at('consumer.ts'), CONSUMER);
  writeFileSync(at('wrong.ts'), WRONG);
  cpSync(join(ROOT, 'examples/lost-message.test.ts'), at('lost-message.test.ts'));
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  compiled = (await run(process.execPath, [tsc, '-p', '.'], {}, project)).stdout;
}, 180_000);
afterAll(() => rmSync(project, { recursive: true }));

async function unpackInto(modules: string): Promise<void> {
  mkdirSync(modules);
  const flags = ['--ignore-scripts', '--offline', '--silent', '--cache', at('npm-cache')];
  const packed = await run('npm', ['pack', '--pack-destination', project, ...flags]);
  expect(packed, packed.stderr).toMatchObject({ status: 0 });
  const tarball = readdirSync(project).find((name) => name.endsWith('.tgz')) ?? '';
  expect(await run('tar', ['-xzf', at(tarball), '-C', modules])).toMatchObject({ status: 0 });
  cpSync(join(modules, 'package'), join(modules, 'gaptrace'), { recursive: true });
  const text = readFileSync(join(modules, 'gaptrace/package.json'), 'utf8');
  const { dependencies } = JSON.parse(text) as { dependencies: Record<string, string> };
  for (const name of [...Object.keys(dependencies), '@types/node', 'undici-types']) {
    mkdirSync(join(modules, name, '..'), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
}

/** Some messages of the core layer that nothing happens to, through a real proxy. */
async function recordHealth(trace: string): Promise<void> {
  const redis = await startRedis();
  const proxy = await startProxy(redis.url, trace);
  const layer = redis.client({ port: proxy.port });
  for (let count = 0; count < 5; count++) {
    const member = memberOf('s', count);
    await layer.zadd(QUEUE, count, member);
    await layer.eval('return 0', 0, QUEUE, `${QUEUE}$inflight`);
    await layer.bzpopmin(QUEUE, 5);
    await layer.zadd(`${QUEUE}$inflight`, count, member);
    await layer.zpopmin(`${QUEUE}$inflight`);
  }
  await layer.quit();
  expect(await proxy.stop()).toMatchObject({ status: 0 });
  await redis.stop();
}

const CONSUMER = `
import { type Analysis, analyzeGap, type Audit, audit, type Finding, GaptraceError, isLoss, openTrace, type ReportedGap, type Trace } from 'gaptrace';

const trace: Trace = openTrace('${LOSSES}');
const report: ReportedGap = { client: 'c', room: 'r', sender: '73cf256d', expected: 72, received: 73 };
const one: Analysis = await analyzeGap(trace, { sender: '73cf256d', count: 72 });
const reported = await analyzeGap(trace, { gaps: [report, report] });
const logged = await analyzeGap(trace, { gaps: process.argv[2] ?? '' });
const all = await analyzeGap(trace);
const audited: Audit = audit(trace);
const elsewhere = await analyzeGap(trace, undefined, { senderField: 'who' });
const refused = await Promise.all(
  [analyzeGap(trace, { sender: 'x', count: 1 }), analyzeGap(trace, { gaps: [{ ...report, received: 1 }] }), analyzeGap(trace, { gaps: 'absent' })].map(
    (answer) => answer.then(() => 'answered', (error: unknown) => (error instanceof GaptraceError ? error.code : String(error))),
  ),
);
trace.close();
const shown = ({ sender, count, verdict, cause, reported_by }: Finding) => [sender, count, verdict, cause, reported_by.length, isLoss(verdict)];
console.log(JSON.stringify({
  one: one.findings.map(shown), reported: reported.findings.map(shown),
  logged: logged.summary, all: all.findings.length, audited: audited.fates.filter(({ verdict }) => verdict === 'lost').length, elsewhere: elsewhere.findings.filter(({ sender }) => sender !== null).length, refused,
}));
`;

/** A sender without a count. */
const WRONG = `
import { analyzeGap, openTrace } from 'gaptrace';
await analyzeGap(openTrace('x'), { sender: 's' });
`;

test('strict TypeScript takes what is right, and refuses a question that makes no sense', () => {
  expect(compiled).toMatch(/^wrong\.ts\(3,\d+\): error TS/);
  expect(compiled.match(/error TS/g), compiled).toHaveLength(1);
});

test('the library answers a program', async () => {
  const log = join(ROOT, 'examples/resp2.clients.jsonl.gz');
  const { stdout, stderr } = await run(process.execPath, ['consumer.js', log], {}, project);
  expect(stderr).toBe('');
  const cli = await gaptrace('analyze-gap', at(LOSSES), '--gaps', log, '--json');
  expect(JSON.parse(stdout)).toEqual({
    one: [['73cf256d', 72, 'lost', 'popped-then-disconnected', 0, true]],
    reported: [['73cf256d', 72, 'lost', 'popped-then-disconnected', 1, true]],
    logged: (JSON.parse(cli.stdout) as { summary: unknown }).summary,
    all: 8,
    audited: 8,
    elsewhere: 0,
    refused: ['GAPTRACE_SENDER', 'GAPTRACE_GAPS', 'GAPTRACE_INPUT'],
  });
}, 60_000);

describe('the example test', () => {
  const tested = (trace: string, log = '') =>
    run(
      process.execPath,
      ['--test', '--test-reporter=tap', 'lost-message.test.js'],
      { GAPTRACE_TRACE: trace, ...(log === '' ? {} : { CLIENT_LOG: log }) },
      project,
    );

  test('passes on a healthy trace', async () => {
    const { status, stdout } = await tested(HEALTHY);
    expect(status, stdout).toBe(0);
    expect(stdout).toMatch(/^# pass 2$/m);
    expect(stdout).toMatch(/^# skipped 1$/m);
  }, 60_000);

  test('fails with the story of what was lost', async () => {
    const { status, stdout } = await tested(LOSSES, join(ROOT, 'examples/resp2.clients.jsonl.gz'));
    expect(status).toBe(1);
    expect(stdout).toMatch(/^# fail 2$/m);
    expect(stdout).toContain('popped-then-disconnected: Message 72 of sender 73cf256d was put into queue');
  }, 60_000);
});
