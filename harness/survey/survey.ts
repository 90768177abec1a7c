import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runStoreFaults, type StoreFaultReport } from '../crash/faults/store-faults.ts';
import { runStoreKills, type StoreKillReport } from '../crash/kills/store-kills.ts';
import { probeStore, type StoreSubject } from '../crash/kills/store-subject.ts';
import { runStoreWorkloads, type StoreWorkloadReport } from '../crash/kills/store-workload.ts';
import { runStoreCuts, type StoreCutsReport } from '../crash/power/store-cuts.ts';
import { PACKAGE_ROOT, shippedFile } from '../package-root.ts';
import { runProcess } from '../workloads/store-process.ts';
import type { SurveyedStore } from './surveyed-stores.ts';
import { countSyncs, type SyncCount } from './sync-count.ts';

export interface SurveyOptions {
  /** Stores are installed and put to work here; removed at the end. */
  readonly directory: string;
  /** Packages are installed here, and stay for the next survey; default: in `directory`. */
  readonly installIn?: string;
  readonly seed: number;
  /** Seconds for each part of each store. */
  readonly seconds: number;
  /**
   * What came of each store is kept here: one that was done with the same packages, seed and time
   * is not done again.
   */
  readonly keepIn?: string;
}

export interface SurveyedResult {
  readonly store: SurveyedStore;
  /** The day. */
  readonly doneAt: string;
  /** Why nothing was found out; undefined where something was. */
  readonly trouble: string | undefined;
  readonly subject: StoreSubject | undefined;
  readonly workload: StoreWorkloadReport | undefined;
  readonly kills: StoreKillReport | undefined;
  readonly cuts: StoreCutsReport | undefined;
  readonly faults: StoreFaultReport | undefined;
  readonly syncs: SyncCount | undefined;
}

/** An installation may build from source. */
const MOST_INSTALL_MS = 600_000;

/** Surveys the store, or gives the result that an earlier survey kept. */
export async function surveyStore(
  store: SurveyedStore,
  options: SurveyOptions,
): Promise<SurveyedResult> {
  const { keepIn, seed, seconds } = options;
  if (keepIn === undefined) return crashStore(store, options);
  const path = join(keepIn, `${store.adapter}.json`);
  const key = JSON.stringify({ ...store, seed, seconds, node: process.version });
  const kept = readKept(path);
  if (kept?.key === key) return kept.result;
  const result = await crashStore(store, options);
  mkdirSync(keepIn, { recursive: true });
  // What could not be installed or opened may be next time.
  if (result.trouble === undefined) writeFileSync(path, JSON.stringify({ key, result }));
  return result;
}

function readKept(path: string): { key: string; result: SurveyedResult } | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as { key: string; result: SurveyedResult };
  } catch {
    return undefined;
  }
}

/** Installs one store and puts it through the parts. Never throws for what a store does. */
async function crashStore(
  store: SurveyedStore,
  { directory, seed, seconds, installIn = join(directory, 'installed') }: SurveyOptions,
): Promise<SurveyedResult> {
  const nothing = {
    store,
    doneAt: new Date().toISOString().slice(0, 10),
    trouble: undefined,
    subject: undefined,
    workload: undefined,
    kills: undefined,
    cuts: undefined,
    faults: undefined,
    syncs: undefined,
  };
  const place = join(directory, store.adapter);
  mkdirSync(place, { recursive: true });
  const failed = await install(store, place, join(installIn, store.adapter));
  if (failed !== undefined) return { ...nothing, trouble: failed };
  try {
    const adapter = join(place, `${store.adapter}.mjs`);
    const subject = await probeStore(adapter, [], join(place, 'probe'), seed);
    const run = (part: string) => ({
      subject,
      directory: join(place, part),
      seed,
      seconds,
      parallel: 1,
    });
    return {
      ...nothing,
      subject,
      workload: await runStoreWorkloads(run('workload')),
      kills: await runStoreKills(run('kills')),
      cuts: await runStoreCuts(run('cuts')),
      faults: await runStoreFaults(run('faults')),
      syncs: await countSyncs(subject, join(place, 'syncs'), seed),
    };
  } catch (error) {
    return { ...nothing, trouble: error instanceof Error ? error.message : String(error) };
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** Installs into `to` and gives it to `place`. Returns what went wrong, in words. */
async function install(
  { packages }: SurveyedStore,
  place: string,
  to: string,
): Promise<string | undefined> {
  process.env.TIDEMARK_ENGINE = join(PACKAGE_ROOT, 'dist/src/engine/index.js');
  cpSync(shippedFile('survey/adapters'), place, { recursive: true });
  writeFileSync(join(place, 'package.json'), '{"private":true,"type":"module"}\n');
  if (Object.keys(packages).length === 0) return undefined;
  symlinkSync(join(to, 'node_modules'), join(place, 'node_modules'));
  if (isInstalled(packages, to)) return undefined;
  mkdirSync(to, { recursive: true });
  cpSync(join(place, 'package.json'), join(to, 'package.json'));
  const words = Object.entries(packages).map(([name, version]) => `${name}@${version}`);
  const options = ['--no-audit', '--no-fund', '--loglevel=error'];
  const command = ['npm', 'install', '--prefix', to, ...options, ...words];
  const { code, hung, errors } = await runProcess(command, { mostMs: MOST_INSTALL_MS });
  if (code === 0) return undefined;
  return `it could not be installed: ${hung ? 'it took too long' : errors.split('\n')[0]}`;
}

function isInstalled(packages: SurveyedStore['packages'], to: string): boolean {
  return Object.entries(packages).every(([name, version]) => {
    try {
      const text = readFileSync(join(to, 'node_modules', name, 'package.json'), 'utf8');
      return (JSON.parse(text) as { version: string }).version === version;
    } catch {
      return false;
    }
  });
}
