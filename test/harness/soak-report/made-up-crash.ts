import type { CrashSummary, FailureSummary } from '../../../harness/crash/campaign/crash-report.ts';
import { STORE_PROMISES } from '../../../harness/crash/promises/store-promises.ts';

const FAILURES: readonly FailureSummary[] = [
  {
    part: 'cuts',
    invariant: 'durable',
    message:
      '[posix] sync #3 had returned at call 412. The power cut lost the last 4,096 bytes of a write to `data.log`, made by call 409 and never synced before 412. A sync of `data.log` before call 412 would have been enough. What is found then: key-17 is absent, and step 3, which must have survived, left version 2.',
    seed: 3,
    command: 'npm run crash -- --adapter ./x.mjs --only-seed 3',
    story: [
      'Model posix. The power goes before call 414.',
      '',
      'The calls around it (- lost, ~ torn):',
      '  ~    409  pwrite64(/data.log, 8192 bytes at 0)',
      '  >    412  it says: end 3',
      '            the power goes',
      `       414  ${'a line that is wider than any screen '.repeat(8)}`,
    ],
    directory: '/somewhere/failures/1',
  },
  {
    part: 'kills',
    invariant: 'opens',
    message: 'after the crash the store does not open: the process ended with 1: SyntaxError',
    seed: 3,
    command: 'npm run crash -- --adapter ./x.mjs --part kills --seed 3',
    story: [],
    directory: '/somewhere/failures/2',
  },
];

const REASONS = {
  pass: 'no invariant was broken',
  broken: 'durable (seed 3, and 1 more): sync #3 had returned',
  inconclusive: 'the faults saw too little to be judged',
  interrupted: 'stopped in order; nothing wrong was seen until then',
} as const;

/** The summary of a crash run that never was. */
export function madeUpSummary(verdict: CrashSummary['verdict']): CrashSummary {
  const part = (name: string, isConclusive = true) => ({
    durationMs: 40_000,
    figures: {},
    rows: [[name, `what ${name} saw`]] as const,
    invariants: STORE_PROMISES,
    isConclusive,
  });
  return {
    schema: 1,
    kind: 'tidemark-crash',
    verdict,
    exitCode: 0,
    reason: REASONS[verdict],
    startedAt: '2026-01-02T03:04:05.678Z',
    durationMs: 92_000,
    seed: 3,
    command: 'npm run crash -- --adapter ./x.mjs --seed 3',
    profile: 'default',
    workers: 2,
    subject: {
      name: './a/rather/long/path/to/an/adapter/that/somebody/has/x.mjs',
      contract: 'put=kill, sync=power, prefix',
      promises: [
        'a finished put or delete survives the death of its process',
        'everything before a finished sync survives a power cut',
        'a crash leaves the state of a prefix of the operations',
      ],
      assumed: ['a crash leaves the state of a prefix of the operations'],
      refusals: ['the empty key (it says no)'],
      volatileFiles: ['lock'],
    },
    versions: { tidemark: '0.1.0', node: 'v20' },
    host: {
      platform: 'linux',
      release: '6',
      arch: 'x64',
      cpu: 'a processor',
      cores: 2,
      memoryBytes: 1,
      fileSystem: 'ext4',
      machineClass: 'linux, x64, 2 x a processor, ext4',
    },
    parts: {
      cuts: part('cuts'),
      kills: part('kills'),
      faults: part('faults', false),
      workload: part('workload'),
    },
    failures: verdict === 'broken' ? FAILURES : [],
  };
}
