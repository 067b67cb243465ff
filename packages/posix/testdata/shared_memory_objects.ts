/** Shared memory for tests, which is gone afterwards. */

import { cString } from "@ipc/core/sys";
import { libc } from "../_libc.ts";

/** A name that nobody has; whatever has it in the end goes away, whoever made it. */
export class OwnName implements Disposable {
  readonly name = `/ipc-test-${crypto.randomUUID()}`;

  /** Where libc has it. */
  get path(): string {
    return `/dev/shm${this.name}`;
  }

  /** Whether there is something of this name. */
  get taken(): boolean {
    try {
      Deno.lstatSync(this.path);
      return true;
    } catch {
      return false;
    }
  }

  [Symbol.dispose](): void {
    libc.unlink(cString(this.path));
  }
}
