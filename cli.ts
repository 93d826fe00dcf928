#!/usr/bin/env node
/**
 * The executable `gaptrace`: registers each folder's commands, and runs the one asked for. Of the folders only that is loaded which has it: a
 * question to a trace need not wait for a server.
 */
import { createProgram, runProgram } from './terminal/program.js';
import { VERSION } from './terminal/version.js';

const program = createProgram(
  'gaptrace',
  'Where did my message go? A flight recorder for Redis-backed messaging.',
  VERSION,
);

/** In the order of the help. */
const REGISTER: Readonly<Record<string, () => Promise<void>>> = {
  proxy: async () => (await import('./proxy/command.js')).registerProxy(program),
  import: async () => (await import('./proxy/import/command.js')).registerImport(program),
  generate: async () => (await import('./generate/command.js')).registerGenerate(program),
  server: async () => (await import('./server/command.js')).registerServer(program),
  query: async () => (await import('./analysis/commands/query.js')).registerQuery(program),
  'analyze-gap': async () => (await import('./analysis/commands/analyze-gap.js')).registerAnalyzeGap(program),
  audit: async () => (await import('./analysis/commands/audit.js')).registerAudit(program),
  client: async () => (await import('./clients/command.js')).registerClient(program),
  swarm: async () => (await import('./clients/command.js')).registerSwarm(program),
  demo: async () => (await import('./demo/command.js')).registerDemo(program),
  compare: async () => (await import('./demo/command.js')).registerCompare(program),
};

const [, , asked = ''] = process.argv;
const wanted = Object.hasOwn(REGISTER, asked) ? [asked] : Object.keys(REGISTER);
for (const command of wanted) await REGISTER[command]?.();
await runProgram(program, process.argv);
