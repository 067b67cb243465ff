/** The file behind a mapping, opened once more for the locks by which owners are known. */

import { type Mapping, stat } from "@ipc/core/sys";
import { adopt } from "./_worker_file.ts";

/** Tells apart mappings that have no file. */
let anonymous = 0;
const files = new WeakMap<Mapping, LockFile>();
/** Owners of this isolate, by their file and position: the kernel does not tell a description of its own locks. */
const here = new Map<string, Set<bigint>>();

/** One open file description for a mapping, shared by the owners in it; closed when the last has left. */
export class LockFile {
  /** `undefined`: there is no file, and the memory is this thread's alone. */
  readonly fd: number | undefined;
  readonly #file: Disposable | undefined;
  readonly #mapping: Mapping;
  readonly #key: string;
  #owners = 0;

  constructor(mapping: Mapping) {
    const file = mapping.openFile();
    const adopted = file === undefined ? undefined : adopt(file);
    this.#mapping = mapping;
    this.#file = adopted;
    this.fd = adopted?.fd;
    try {
      this.#key = this.fd === undefined ? `${++anonymous}` : identify(this.fd);
    } catch (error) {
      adopted?.[Symbol.dispose]();
      throw error;
    }
  }

  enter(): this {
    this.#owners++;
    return this;
  }

  leave(): void {
    if (--this.#owners > 0) return;
    files.delete(this.#mapping);
    this.#file?.[Symbol.dispose]();
  }

  has(position: bigint): boolean {
    return here.get(this.#key)?.has(position) ?? false;
  }

  add(position: bigint): void {
    const positions = here.get(this.#key);
    if (positions === undefined) here.set(this.#key, new Set([position]));
    else positions.add(position);
  }

  delete(position: bigint): void {
    const positions = here.get(this.#key);
    if (positions?.delete(position) && positions.size === 0) here.delete(this.#key);
  }
}

function identify(fd: number): string {
  const { dev, ino } = stat(fd);
  return `${dev}:${ino}`;
}

/** The lock file of a mapping, for one more owner, who has to leave it. */
export function lockFileOf(mapping: Mapping): LockFile {
  let file = files.get(mapping);
  if (file === undefined) files.set(mapping, file = new LockFile(mapping));
  return file.enter();
}
