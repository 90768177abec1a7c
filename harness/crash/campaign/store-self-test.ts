import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AdapterError, loadAdapterModule } from '../../store-under-test.ts';
import { runStoreFaults } from '../faults/store-faults.ts';
import type { StoreFinding } from '../kills/store-finding.ts';
import { runStoreKills } from '../kills/store-kills.ts';
import { probeStore, type StoreSubject } from '../kills/store-subject.ts';
import { runStoreWorkloads } from '../kills/store-workload.ts';
import { plantedStore, smallStorePath, STORE_PLANTS, type StorePart, type StorePlant } from '../plants/store-plants.ts';
