import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { Ajv, type ErrorObject } from 'ajv';
import { UsageError } from '../../command-line.ts';
import type { KeyDistribution } from '../../key-distribution.ts';
import { shippedFile } from '../../package-root.ts';
import type { SizeClass } from '../../synthetic-values.ts';
import { parseBytes } from '../../units.ts';
import type { OperationMix } from '../../workload.ts';
import { parseThreshold, type Threshold, ThresholdError } from '../gates/threshold.ts';
import type { ChaosConfiguration, WorkloadConfiguration } from '../run/configuration.ts';

/** A profile as it is used: every field there, sizes in bytes, thresholds parsed. */
export interface Profile {
  readonly name: string;
  /** Absolute; null for a built-in one. */
  readonly path: string | null;
  readonly goal: { readonly bytes?: number; readonly seconds?: number };
  readonly keyCount: number;
  readonly workload: WorkloadConfiguration;
  readonly chaos?: ChaosConfiguration;
  readonly sampleIntervalMs: number;
  readonly warmupShare: number;
  readonly thresholds: readonly Threshold[];
}

/** The file's content, once its schema has filled in what is left out. */
interface ProfileFile {
  readonly name?: string;
  readonly goal: { readonly bytes?: number | string; readonly seconds?: number };
  readonly workload: {
    readonly mix: OperationMix;
    readonly keys: {
      readonly count: number;
      readonly distribution: KeyDistribution['kind'];
      readonly skew: number;
    };
    readonly values: readonly SizeClass[];
    readonly operationsPerSecond?: number;
  };
  readonly syncEveryOperations: number;
  readonly reopenEvery: number | string;
  readonly compactEveryReopens: number;
  readonly chaos?: ChaosConfiguration;
  readonly sampleIntervalMs: number;
  readonly warmupPercent: number;
  readonly gates: Readonly<Record<string, readonly (string | ThresholdFields)[]>>;
}

interface ThresholdFields {
  readonly threshold: string;
  readonly abortOnFail: boolean;
  readonly marginPercent: number;
}

const DIRECTORY = shippedFile('soak/profiles');
const SCHEMA = 'profile.schema.json';

export function builtInProfiles(): string[] {
  return readdirSync(DIRECTORY)
    .filter((name) => name.endsWith('.json') && name !== SCHEMA)
    .map((name) => basename(name, '.json'));
}

/**
 * A built-in profile by name, or a file by its path. Throws `UsageError` with the path of the
 * field.
 */
export function loadProfile(nameOrPath: string): Profile {
  const isPath = /[/\\.]/.test(nameOrPath);
  if (!isPath && !builtInProfiles().includes(nameOrPath)) {
    throw new UsageError(
      `--profile: there is no profile ${JSON.stringify(nameOrPath)}: give ${builtInProfiles().join(', ')}, or a file such as ./profile.json`,
    );
  }
  const path = isPath ? resolve(nameOrPath) : join(DIRECTORY, `${nameOrPath}.json`);
  return toProfile(readProfile(path), nameOrPath, isPath ? path : null);
}

function readProfile(path: string): ProfileFile {
  let profile: unknown;
  try {
    profile = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new UsageError(`--profile: cannot read ${path}: ${(error as Error).message}`);
  }
  const ajv = new Ajv({ useDefaults: true, allErrors: true, allowUnionTypes: true });
  const isProfile = ajv.compile<ProfileFile>(
    JSON.parse(readFileSync(join(DIRECTORY, SCHEMA), 'utf8')),
  );
  if (isProfile(profile)) return profile;
  throw new UsageError(`--profile: ${path}: ${complaints(isProfile.errors ?? []).join('; ')}`);
}

function complaints(errors: readonly ErrorObject[]): string[] {
  return errors.map(({ instancePath, keyword, params, message }) => {
    if (keyword === 'additionalProperties') {
      return `${instancePath}/${params.additionalProperty} is no field of a profile`;
    }
    if (keyword === 'enum')
      return `${instancePath} must be one of ${params.allowedValues.join(', ')}`;
    if (keyword === 'required') return `${instancePath}/${params.missingProperty} is missing`;
    return `${instancePath === '' ? '/' : instancePath} ${message}`;
  });
}

function toProfile(file: ProfileFile, nameOrPath: string, path: string | null): Profile {
  const { workload, goal, chaos } = file;
  const { keys, mix, values, operationsPerSecond } = workload;
  for (const [index, { leastBytes, mostBytes }] of values.entries()) {
    if (mostBytes < leastBytes)
      throw fieldError(`/workload/values/${index}/mostBytes`, 'is below leastBytes');
  }
  return {
    name: file.name ?? basename(nameOrPath, '.json'),
    path,
    goal: {
      ...(goal.bytes === undefined ? {} : { bytes: toBytes('/goal/bytes', goal.bytes) }),
      ...(goal.seconds === undefined ? {} : { seconds: goal.seconds }),
    },
    keyCount: keys.count,
    workload: {
      mix,
      distribution:
        keys.distribution === 'zipfian'
          ? { kind: 'zipfian', skew: keys.skew }
          : { kind: keys.distribution },
      sizes: values,
      ...(operationsPerSecond === undefined ? {} : { operationsPerSecond }),
      syncEveryOperations: file.syncEveryOperations,
      reopenEveryBytes: file.reopenEvery === 0 ? 0 : toBytes('/reopenEvery', file.reopenEvery),
      compactEveryReopens: file.compactEveryReopens,
    },
    ...(chaos === undefined ? {} : { chaos }),
    sampleIntervalMs: file.sampleIntervalMs,
    warmupShare: file.warmupPercent / 100,
    thresholds: Object.entries(file.gates).flatMap(([series, list]) =>
      list.map((given, index) => toThreshold(series, given, `/gates/${series}/${index}`)),
    ),
  };
}

function toThreshold(series: string, given: string | ThresholdFields, field: string): Threshold {
  const {
    threshold,
    abortOnFail = false,
    marginPercent = 0,
  } = typeof given === 'string' ? { threshold: given } : given;
  try {
    return parseThreshold({ series, text: threshold, abortOnFail, margin: marginPercent / 100 });
  } catch (error) {
    if (error instanceof ThresholdError) throw fieldError(field, error.message);
    throw error;
  }
}

function toBytes(field: string, size: number | string): number {
  const bytes = parseBytes(String(size));
  if (bytes === undefined) throw fieldError(field, 'must be a size such as 512MB or 1GiB');
  return bytes;
}

function fieldError(field: string, complaint: string): UsageError {
  return new UsageError(`--profile: ${field} ${complaint}`);
}
