import { harnessCommand } from './harness-command.ts';

export const define = harnessCommand('bench', 'bench/main.js');
