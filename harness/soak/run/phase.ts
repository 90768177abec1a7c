/** What the store process is doing. */
export type Phase = 'opening' | 'writing' | 'reopening' | 'compacting' | 'checking' | 'closed';
