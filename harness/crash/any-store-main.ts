#!/usr/bin/env node
import { enterInvokedDirectory } from '../invocation.ts';
import { watchStandardStreams } from '../standard-streams.ts';
import { crashCommand } from './crash.ts';

/** The command of the package: any store, without the campaign of tidemark's own clone. */
watchStandardStreams('crash');
enterInvokedDirectory('crash');
process.exitCode = await crashCommand(process.argv.slice(2));
