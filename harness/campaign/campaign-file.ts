import { readFileSync } from 'node:fs';
import { UsageError } from '../command-line.ts';
import { buildDigest, NODE_MAJOR } from './build-digest.ts';
import { CAMPAIGN_SCHEMA, type CampaignFile, type PlannedPart } from './campaign-schema.ts';
import { digestOf, type UnitName, type UnitPart } from './unit.ts';

/** The campaign of these parts with this build. `wanted` says how many units, by part. */
export async function planCampaign(
  parts: readonly UnitPart[],
  profile: string,
  seed: number,
  wanted: Readonly<Record<string, number>>,
): Promise<CampaignFile> {
  const planned: Record<string, PlannedPart> = {};
  for (const part of parts) {
    const listed = await part.list({ profile, seed, wanted: wanted[part.name] ?? 0 });
    const units = typeof listed === 'number' ? listed : listed.length;
    planned[part.name] = {
      units,
      ...(typeof listed === 'number' ? {} : { names: listed }),
      floors: part.floors(units),
    };
  }
  const rest = { profile, seed, build: buildDigest(), node: NODE_MAJOR, parts: planned };
  return {
    schema: CAMPAIGN_SCHEMA,
    kind: 'tidemark-campaign',
    id: idOf(rest),
    ...rest,
  };
}

function idOf({
  profile,
  seed,
  build,
  node,
  parts,
}: Omit<CampaignFile, 'schema' | 'kind' | 'id'>): string {
  return digestOf(JSON.stringify([CAMPAIGN_SCHEMA, profile, seed, build, node, parts])).slice(
    0,
    16,
  );
}

/** Throws `UsageError` when it is none, or was changed. */
export function readCampaign(path: string): CampaignFile {
  let file: CampaignFile;
  try {
    file = JSON.parse(readFileSync(path, 'utf8')) as CampaignFile;
  } catch (error) {
    throw new UsageError(`--campaign: ${path} cannot be read: ${(error as Error).message}`);
  }
  if (file?.kind !== 'tidemark-campaign')
    throw new UsageError(`--campaign: ${path} is no campaign; make one with 'plan'`);
  if (file.schema !== CAMPAIGN_SCHEMA)
    throw new UsageError(
      `--campaign: ${path} has schema ${file.schema}, and this version knows ${CAMPAIGN_SCHEMA}: plan again`,
    );
  if (file.id !== idOf(file))
    throw new UsageError(`--campaign: ${path} was changed after it was planned: plan again`);
  return file;
}

/** Throws `UsageError` unless this process may run its units. */
export function checkBuild({ build, node }: CampaignFile): void {
  if (node !== NODE_MAJOR)
    throw new UsageError(
      `--campaign: it was planned for Node ${node}, and this is ${process.version}`,
    );
  if (build !== buildDigest())
    throw new UsageError(
      '--campaign: it was planned with another build; plan again, or run the build of the plan',
    );
}

/** All units, the parts one after the other. */
export function unitsOf({ parts }: CampaignFile): UnitName[] {
  return Object.entries(parts).flatMap(([part, { units }]) =>
    Array.from({ length: units }, (_, unit) => ({ part, unit })),
  );
}

/** How people call a unit. */
export function describeUnit({ parts }: CampaignFile, { part, unit }: UnitName): string {
  const name = parts[part]?.names?.[unit];
  return name === undefined ? `${part} ${unit}` : `${part} ${unit} (${name})`;
}
