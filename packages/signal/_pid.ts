/** What a process is called. */

/** Refuses numbers that mean many processes to kill(2), or none. */
export function checkPid(pid: number, verb: string): void {
  if (Number.isInteger(pid) && pid >= 1 && pid <= 0x7fff_ffff) return;
  throw new RangeError(`Cannot ${verb} process ${pid}: its number is an integer from 1`);
}
