/** What `import … from 'tidemark-harness'` gives. */
export { assertPassed, HarnessFailure } from './api/assert-passed.ts';
export { crash } from './api/crash.ts';
export type {
  CrashRequest,
  HarnessProgress,
  HarnessRequest,
  SoakRequest,
} from './api/request.ts';
export { soak } from './api/soak.ts';
export { ContractError, type DeclaredContract, type StoreContract } from './contract.ts';
export { CampaignUsageError } from './crash/campaign/campaign-options.ts';
export type { CrashSummary } from './crash/campaign/crash-report.ts';
export { ExitCode } from './exit-code.ts';
export { Refusal } from './soak/refusal.ts';
export type { Summary as SoakSummary } from './soak/result/summary.ts';
export {
  AdapterError,
  type MaybePromise,
  type OpenStoreUnderTest,
  type StoreUnderTest,
  type StoreUnderTestStats,
} from './store-under-test.ts';
export { UsageError } from './usage-error.ts';
