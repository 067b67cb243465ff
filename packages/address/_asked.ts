/** Files, looked at through Deno. */

import { ERRNO, errnoError } from "@ipc/core";

/** Lets Deno ask the system, and tells its errors as our own: "Cannot `verb` `object` "`path`"…". */
export function asked<T>(syscall: string, [verb, object]: [string, string], path: string, ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    const missing = error instanceof Deno.errors.NotFound;
    if (!missing && !(error instanceof Deno.errors.PermissionDenied)) throw error;
    throw errnoError(missing ? ERRNO.ENOENT : ERRNO.EACCES, {
      syscall,
      action: `${verb} ${object} "${path}"`,
      object,
      target: path,
    });
  }
}
