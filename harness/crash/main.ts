#!/usr/bin/env node
import { enterInvokedDirectory } from '../invocation.ts';
import { watchStandardStreams } from '../standard-streams.ts';
import { crashCommand } from './crash.ts';
import { OWN_CAMPAIGN } from './own-campaign.ts';

watchStandardStreams('crash');
enterInvokedDirectory('crash');
process.exitCode = await crashCommand(process.argv.slice(2), OWN_CAMPAIGN);
