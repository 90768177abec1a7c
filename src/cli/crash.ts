import { harnessCommand } from './harness-command.ts';

export const define = harnessCommand('crash', 'harness/crash/main.js');
