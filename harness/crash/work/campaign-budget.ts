/** Steps of one workload. */
export const STEPS = 60;

/** How closely one workload is looked at. */
export const STATES_BUDGET = {
  budget: { subsets: 60, tearsAWrite: 8 },
  nestOneIn: { cut: 50, whole: 200 },
  otherwiseOneIn: 50,
} as const;
export const ON_DISK_ONE_IN = 500;
