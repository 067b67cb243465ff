/**
 * Memory-mapped files, and memory that is shared by its descriptor.
 *
 * {@linkcode MappedFile} is a file as memory: read and written like an array, shared by all processes that map it, of
 * any size, also in windows. {@linkcode createMemfd} makes memory without a name that can be sealed, so that nobody
 * who is given it can pull it from under the others.
 *
 * Needs `--allow-ffi`, and nothing else.
 *
 * @example
 * ```ts
 * import { MappedFile } from "@ipc/mmap";
 * import { assertEquals } from "@std/assert";
 *
 * const path = `${await Deno.makeTempDir()}/counters`;
 * using file = MappedFile.open(path, { create: true, size: 4096 });
 * using same = MappedFile.open(path, { access: "read" }); // In another process, as a rule.
 * Atomics.add(new Int32Array(file.buffer), 3, 42);
 * assertEquals(new Int32Array(same.buffer)[3], 42);
 * ```
 *
 * @module
 */

export * from "./create_memfd.ts";
export * from "./file_window.ts";
export * from "./mapped_file.ts";
export * from "./memfd.ts";
