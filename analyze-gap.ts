#!/usr/bin/env node
/** `analyze-gap …` is `gaptrace analyze-gap …`. */
process.argv.splice(2, 0, 'analyze-gap');
await import('./cli.js');
