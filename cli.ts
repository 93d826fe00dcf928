#!/usr/bin/env node
/** The executable `gaptrace`: registers each folder's commands, and runs the one asked for. */
import { registerAnalyzeGap } from './analysis/commands/analyze-gap.js';
import { registerAudit } from './analysis/commands/audit.js';
import { registerQuery } from './analysis/commands/query.js';
import { registerClient, registerSwarm } from './clients/command.js';
import { registerCompare, registerDemo } from './demo/command.js';
import { registerGenerate } from './generate/command.js';
import { registerProxy } from './proxy/command.js';
import { registerImport } from './proxy/import/command.js';
import { registerServer } from './server/command.js';
import { createProgram, runProgram } from './terminal/program.js';
import { VERSION } from './terminal/version.js';

const program = createProgram(
  'gaptrace',
  'Where did my message go? A flight recorder for Redis-backed messaging.',
  VERSION,
);
registerProxy(program);
registerImport(program);
registerGenerate(program);
registerServer(program);
registerQuery(program);
registerAnalyzeGap(program);
registerAudit(program);
registerClient(program);
registerSwarm(program);
registerDemo(program);
registerCompare(program);
await runProgram(program, process.argv);
