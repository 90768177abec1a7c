export const CAMPAIGN_SCHEMA = 1;

/** `campaign.json`: the finite list of units that a campaign consists of. */
export interface CampaignFile {
  readonly schema: typeof CAMPAIGN_SCHEMA;
  readonly kind: 'tidemark-campaign';
  /** Stands for all of the rest. */
  readonly id: string;
  readonly profile: string;
  /** An integer from 0 to 2^32 - 1. */
  readonly seed: number;
  /** Which program files run it; see `buildDigest`. */
  readonly build: string;
  /** Node's major version. */
  readonly node: number;
  readonly parts: Readonly<Record<string, PlannedPart>>;
}

export interface PlannedPart {
  readonly units: number;
  /** One per unit, where numbers do not say everything. */
  readonly names?: readonly string[];
  /** The least that all units together come to, by the names of their counts. */
  readonly floors: Readonly<Record<string, number>>;
}
