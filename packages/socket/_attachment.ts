/** Handles on their way to another process. */

import { ClosedError } from "@ipc/core";
import { MAX_HANDLES } from "./_control_message.ts";
import { fdOfFile } from "./_file_descriptor.ts";
import type { Handle } from "./handle.ts";

/** The handles that go with one message; their numbers are asked for when it leaves. */
export class Attachment {
  readonly #handles: readonly Handle[];

  /**
   * Checks what can be checked in advance.
   *
   * @throws {RangeError} if there are none, or more than 253.
   * @throws {TypeError} if one is no handle.
   * @throws {ClosedError} if one is closed.
   */
  constructor(handles: readonly Handle[]) {
    if (!(handles.length >= 1 && handles.length <= MAX_HANDLES)) {
      throw new RangeError(
        `Cannot send ${handles.length} handles with a message: the kernel takes 1 to ${MAX_HANDLES}`,
      );
    }
    this.#handles = [...handles];
    // To find the descriptor of a file takes a while, and it may be closed until the message leaves.
    for (const handle of handles) if (!(handle instanceof Deno.FsFile)) fdOf(handle);
  }

  /** The numbers as they are now. */
  fds(): number[] {
    return this.#handles.map(fdOf);
  }
}

/** The number of a handle, unless it is closed and the number may be somebody else's by now. */
function fdOf(handle: Handle): number {
  if (handle instanceof Deno.FsFile) return fdOfFile(handle);
  if (typeof handle === "object" && handle !== null && "closed" in handle && handle.closed === true) {
    throw new ClosedError("Cannot send a handle that was closed");
  }
  const fd = typeof handle === "object" ? handle?.fd : handle;
  if (typeof fd === "number" && Number.isInteger(fd) && fd >= 0 && fd <= 0x7fff_ffff) return fd;
  throw new TypeError(
    "Cannot send what has no descriptor: a handle is a number, has an fd, or is a Deno.FsFile",
  );
}
