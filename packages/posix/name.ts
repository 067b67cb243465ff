/** Names of POSIX objects. */

/** What a name is for. */
export type NamedObject = "message queue" | "semaphore" | "shared memory";

/** Bytes behind the slash: a file's name, which for a semaphore begins with `sem.` */
const LONGEST: Readonly<Record<NamedObject, number>> = {
  "message queue": 255,
  "semaphore": 251,
  "shared memory": 255,
};

const encoder = new TextEncoder();

/**
 * Checks the name of a POSIX object: a slash and 1 to 255 bytes of UTF-8 without another slash; of a semaphore 251.
 *
 * Every call that takes a name does so before it asks the kernel, whose answers differ from object to object. `verb`
 * is what the error says was tried. System calls: none.
 *
 * @throws {TypeError} if it is not one.
 *
 * @example
 * ```ts
 * import { checkName } from "@ipc/posix";
 * import { assertThrows } from "@std/assert";
 *
 * checkName("/jobs", "message queue");
 * for (const name of ["jobs", "/", "/a/b", "/..", "/\0"]) {
 *   assertThrows(() => checkName(name, "message queue"), TypeError);
 * }
 * ```
 */
export function checkName(name: string, object: NamedObject, verb = "open"): void {
  const longest = LONGEST[object];
  if (typeof name === "string" && name.startsWith("/")) {
    const rest = name.slice(1);
    const reserved = rest === "" || rest === "." || rest === "..";
    const { length } = encoder.encode(rest);
    if (!reserved && !/[/\0]/.test(rest) && length <= longest) return;
    if (length > longest) {
      throw new TypeError(
        `Cannot ${verb} ${object}: its name has ${length} bytes behind the slash, the limit is ${longest}`,
      );
    }
  }
  throw new TypeError(
    `Cannot ${verb} ${object} ${
      JSON.stringify(name)
    }: a name is a slash and up to ${longest} other characters`,
  );
}
