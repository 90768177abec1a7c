import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../harness/command-line.ts';
import { builtInProfiles, loadProfile } from '../../../harness/soak/options/profile.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

function profileFile(profile: unknown): string {
  const path = join(temporaryDirectory(), 'profile.json');
  writeFileSync(path, typeof profile === 'string' ? profile : JSON.stringify(profile));
  return path;
}

test.each(builtInProfiles())(
  'the built-in profile %s is valid, and says how long it takes',
  (name) => {
    const { goal, thresholds } = loadProfile(name);
    expect(goal.bytes ?? goal.seconds).toBeGreaterThan(0);
    expect(thresholds.map(({ statistic }) => statistic.kind)).toContain('slope');
  },
);

test('what a profile leaves out is filled in, and sizes are bytes', () => {
  const profile = loadProfile(
    profileFile({ goal: { bytes: '2MiB' }, reopenEvery: 0, chaos: { kills: 3 } }),
  );
  expect(profile).toMatchObject({
    name: 'profile',
    goal: { bytes: 2 ** 21 },
    keyCount: 20_000,
    workload: { distribution: { kind: 'uniform' }, syncEveryOperations: 1000, reopenEveryBytes: 0 },
    chaos: { kills: 3, survives: 'put' },
    warmupShare: 0.25,
  });
});

describe('a profile that is not one is refused with the path of the field', () => {
  const goal = { seconds: 1 };
  test.each([
    [{}, '/goal is missing'],
    [{ goal: {} }, '/goal must NOT have fewer than 1 properties'],
    [{ goal, speed: 1 }, '/speed is no field of a profile'],
    [{ goal: { bytes: 'lots' } }, '/goal/bytes must be a size such as 512MB or 1GiB'],
    [{ goal: { seconds: '5' } }, '/goal/seconds must be number'],
    [
      { goal, workload: { keys: { distribution: 'pareto' } } },
      '/workload/keys/distribution must be one of uniform',
    ],
    [{ goal, workload: { mix: { put: 1, scan: 1 } } }, '/workload/mix/scan is no field'],
    [
      { goal, workload: { values: [{ share: 1, leastBytes: 99, mostBytes: 50 }] } },
      '/workload/values/0/mostBytes is below leastBytes',
    ],
    [{ goal, chaos: { kills: 0 } }, '/chaos/kills must be >= 1'],
    [{ goal, gates: { rss: ['max < 1'] } }, '/gates/rss/0 : there is no series rss'],
    [
      { goal, gates: { fds: ['max < 1', 'most < 1'] } },
      '/gates/fds/1 is "most < 1": the statistics are',
    ],
    [{ goal, gates: { fds: ['max ~ 1'] } }, '/gates/fds/0 is'],
    [{ goal, gates: { fds: ['max'] } }, '/gates/fds/0 is "max", not STATISTIC'],
    [{ goal, gates: { fds: ['max < store_fds'] } }, '/gates/fds/0 : only "value" can be compared'],
    [
      { goal, gates: { fds: ['value == sockets'] } },
      '/gates/fds/0 : sockets is neither a unit nor a series',
    ],
    [
      { goal, gates: { fds: ['slope >= 1'] } },
      '/gates/fds/0 is "slope >= 1": slope takes < and <=',
    ],
    [
      { goal, gates: { fds: [{ threshold: 'max < 1', abort: true }] } },
      '/gates/fds/0/abort is no field',
    ],
    ['{"goal":', 'cannot read'],
  ])('%j', (profile, message) => {
    const path = profileFile(profile);
    expect(() => loadProfile(path)).toThrow(UsageError);
    expect(() => loadProfile(path)).toThrow(message);
  });
});
