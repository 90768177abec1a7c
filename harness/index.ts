/** What `import … from 'tidemark-harness'` gives. */
export { AdapterError } from './adapter-error.ts';
export { assertPassed, HarnessFailure } from './api/assert-passed.ts';
export { crash } from './api/crash.ts';
export type {
  CrashRequest,
  HarnessProgress,
  HarnessRequest,
  SoakRequest,
} from './api/request.ts';
export { soak } from './api/soak.ts';
export { UsageError } from './command-line.ts';
export { ContractError, type DeclaredContract, type StoreContract } from './contract.ts';
export type { CrashSummary } from './crash/campaign/crash-report.ts';
export { ExitCode } from './exit-code.ts';
export { Refusal } from './soak/refusal.ts';
export type { Summary as SoakSummary } from './soak/result/summary.ts';
export type {
  MaybePromise,
  OpenStoreUnderTest,
  StoreUnderTest,
  StoreUnderTestStats,
} from './store-under-test.ts';
