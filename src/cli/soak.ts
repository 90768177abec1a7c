import { harnessCommand } from './harness-command.ts';

export const define = harnessCommand('soak', 'harness/soak/main.js');
