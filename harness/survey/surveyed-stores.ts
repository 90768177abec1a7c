/** A store from the registry, as its own documentation says that it is strongest. */
export interface SurveyedStore {
  readonly name: string;
  /** Exact versions, by package; none for the store of this repository. */
  readonly packages: Readonly<Record<string, string>>;
  /** A file of `adapters`, without its ending. It exports the contract that the store promises. */
  readonly adapter: string;
  /** How it is set, in words. */
  readonly setting: string;
  /** Where its documentation makes the promise. */
  readonly promise: string;
  /** What its documentation says of things that are found, and what is left out, in sentences. */
  readonly notes?: readonly string[];
}

export const SURVEYED_STORES: readonly SurveyedStore[] = [
  {
    name: 'tidemark',
    packages: {},
    adapter: 'tidemark',
    setting: '`sync()` where power cuts count',
    promise: '../README.md',
  },
  {
    name: 'lmdb',
    packages: { lmdb: '3.5.6' },
    adapter: 'lmdb',
    setting: 'put awaited, `flushed` as sync, `safeRestore: true`',
    promise: 'https://github.com/kriszyp/lmdb-js#overlapping-sync-options',
    notes: [
      'Without `safeRestore` it trusts the last transaction as long as the boot id is the same, flushed or not, as it documents. Images are opened within one boot, so this is set.',
      'It writes both meta pages of a new `data.mdb` with one call, and a cut may keep the first page alone. Seen by itself: a new `data.mdb` cut to 4,096 bytes ends the process that opens it with SIGSEGV. Nothing has been acknowledged by then.',
      'Images do not hold its lock file, a table of readers in shared memory that it makes again.',
    ],
  },
  {
    name: 'classic-level',
    packages: { 'classic-level': '3.0.0' },
    adapter: 'classic-level',
    setting: '`sync: true` with each write',
    promise: 'https://github.com/Level/classic-level#dbputkey-value-options',
    notes: [
      'It stands on LevelDB 1.20, whose `NewDB` writes and closes the first MANIFEST without a sync and then renames CURRENT to name it. LevelDB added the sync in [a later release](https://github.com/google/leveldb/blob/main/db/db_impl.cc). Seen by itself, by strace: no sync of `MANIFEST-000001` stands before the rename of `000001.dbtmp` to `CURRENT`. The window is the creation of a database, before anything is acknowledged.',
    ],
  },
  {
    name: 'leveldown',
    packages: { leveldown: '6.1.1' },
    adapter: 'leveldown',
    setting: '`sync: true` with each write; PouchDB stands on it',
    promise: 'https://github.com/Level/leveldown#leveldown_put',
    notes: ['It stands on LevelDB 1.20, as classic-level does.'],
  },
  {
    name: '@nxtedition/rocksdb',
    packages: { '@nxtedition/rocksdb': '12.2.12' },
    adapter: 'nxtedition-rocksdb',
    setting: '`sync: true` with each write',
    promise: 'https://github.com/Level/abstract-level#dbputkey-value-options',
  },
  {
    name: 'better-sqlite3',
    packages: { 'better-sqlite3': '12.6.2' },
    adapter: 'better-sqlite3',
    setting: 'WAL, `synchronous = FULL`',
    promise: 'https://www.sqlite.org/pragma.html#pragma_synchronous',
    notes: [
      'Images do not hold `store.sqlite-shm`, the index of the log in shared memory, which [is built again](https://www.sqlite.org/walformat.html#the_wal_index_file_format) after a crash.',
    ],
  },
  {
    name: '@seald-io/nedb',
    packages: { '@seald-io/nedb': '4.1.2' },
    adapter: 'nedb',
    setting: 'updates awaited, a compaction as sync, `corruptAlertThreshold: 1`',
    promise: 'https://github.com/seald/nedb/blob/master/API.md#Persistence',
    notes: [
      'Its documentation promises what a compaction has flushed, and no order of what came after, so each key is judged by itself.',
    ],
  },
  {
    name: 'node-json-db',
    packages: { 'node-json-db': '3.0.0' },
    adapter: 'node-json-db',
    setting: '`saveOnPush` and `syncOnSave`',
    promise: 'https://belphemur.github.io/node-json-db/classes/lib_JsonDBConfig.Config.html',
  },
  {
    name: 'lowdb',
    packages: { lowdb: '7.0.1' },
    adapter: 'lowdb',
    setting: '`JSONFilePreset`, updates awaited',
    promise: 'https://github.com/typicode/lowdb#features',
  },
  {
    name: 'conf',
    packages: { conf: '16.0.0' },
    adapter: 'conf',
    setting: 'as it comes',
    promise: 'https://github.com/sindresorhus/conf#conf',
  },
  {
    name: 'node-persist',
    packages: { 'node-persist': '4.0.4' },
    adapter: 'node-persist',
    setting: '`setItem` awaited',
    promise: 'https://github.com/simonlast/node-persist#readme',
  },
  {
    name: 'keyv-file',
    packages: { 'keyv-file': '5.3.5' },
    adapter: 'keyv-file',
    setting: '`writeDelay: 0`, set awaited',
    promise: 'https://github.com/zaaack/keyv-file#readme',
  },
  {
    name: 'cacache',
    packages: { cacache: '21.0.2' },
    adapter: 'cacache',
    setting: '`put` awaited',
    promise: 'https://github.com/npm/cacache#features',
  },
  {
    name: 'hyperbee',
    packages: { hyperbee: '2.27.3', hypercore: '11.39.5' },
    adapter: 'hyperbee',
    setting: 'put awaited, `allowBackup: true` in its storage',
    promise: 'https://github.com/holepunchto/hyperbee#readme',
    notes: [
      'It notices that its files were copied and refuses them. `allowBackup` turns that off, because images are copies.',
    ],
  },
];
