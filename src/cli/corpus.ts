import { harnessCommand } from './harness-command.ts';

export const define = harnessCommand('corpus', 'harness/corpus/main.js');
