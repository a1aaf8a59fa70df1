#!/usr/bin/env node
import { inspect } from 'node:util';
import { Command, CommanderError } from 'commander';
import { EXIT, RxError } from '../base/errors.js';
import { addCleanup } from './cleanup.js';
import { addDoctor } from './doctor.js';
import { addExplain } from './explain.js';
import { addImport } from './import.js';
import { addIrqs } from './irqs.js';
import { addCompare } from './compare.js';
import { addLab } from './lab.js';
import { addStack } from './stack.js';
import { addSteer } from './steer.js';
import { addTrace } from './trace.js';
import { endProcess } from '../sys/end.js';
import { version } from '../sys/package.js';

/** Builds the command tree. Commands import their work when they run, so that start-up stays short. */
export function program(): Command {
  const root = new Command('rxstamp')
    .description('When did this packet really arrive at this machine, and where did its time go?')
    .version(version())
    .enablePositionalOptions()
    .configureOutput({ outputError: (text, write) => write(usageLine(text)) })
    .exitOverride();
  const commands = [
    addTrace,
    addImport,
    addCompare,
    addStack,
    addExplain,
    addIrqs,
    addDoctor,
    addSteer,
    addCleanup,
    addLab,
  ];
  for (const add of commands) add(root);
  return root;
}

/** commander's words in the shape of every other error: `error: unknown option '--x'` becomes one line with code and cure. */
function usageLine(text: string): string {
  const [first = '', ...more] = text
    .replace(/^error: /, '')
    .trim()
    .split('\n');
  const why = first.replace(/\.$/, '');
  const guess = more.join(' ').replace(/^\(|\)$/g, '');
  return `RXS_USAGE: reading the command line: ${why}. hint: ${guess === '' ? '' : `${guess} `}rxstamp help COMMAND lists what it takes\n`;
}

async function main(): Promise<void> {
  try {
    await program().parseAsync(process.argv);
  } catch (error) {
    process.exitCode = report(error);
  }
}

/** Prints what went wrong on stderr and says with which code to leave. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof RxError) {
    process.stderr.write(`${error.toLine()}\n`);
    if (process.env['RXSTAMP_DEBUG'] && error.cause !== undefined)
      process.stderr.write(`${inspect(error.cause)}\n`);
    return error.exitCode;
  }
  const text =
    error instanceof Error ? (process.env['RXSTAMP_DEBUG'] ? error.stack : error.message) : String(error);
  process.stderr.write(`RXS_INTERNAL: ${text}. hint: run again with RXSTAMP_DEBUG=1 and report it\n`);
  return EXIT.failure;
}

await main();
endProcess();
