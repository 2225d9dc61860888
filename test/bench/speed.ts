/**
 * How many seconds of sound a piece of work gets through in a second of CPU time, at its best of several rounds: what
 * else runs on the machine can only slow it.
 * @param seconds of sound in one run of the work
 */
export function secondsPerCpuSecond(
  seconds: number,
  quick: boolean,
  work: () => Promise<void> | void,
): Promise<number> {
  return best(seconds, quick, work, () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
}

/** The same in a second of time, for work that another process does. */
export function secondsPerSecond(
  seconds: number,
  quick: boolean,
  work: () => Promise<void> | void,
): Promise<number> {
  return best(seconds, quick, work, () => performance.now() / 1000);
}

async function best(
  seconds: number,
  quick: boolean,
  work: () => Promise<void> | void,
  clock: () => number,
): Promise<number> {
  let most = 0;
  for (let round = 0; round < (quick ? 1 : 3); round += 1) {
    const before = clock();
    await work();
    most = Math.max(most, seconds / (clock() - before));
  }
  return most;
}
