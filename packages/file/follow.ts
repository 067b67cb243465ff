import { type Bytes, type Framing, lines } from "@ipc/core";
import { BaseReceiver } from "@ipc/core/base";
import { FollowSource } from "./_follow_source.ts";

/** How a file is followed. */
export interface FollowOptions {
  /** Where to begin: at the file's first byte, or behind its last; `"end"` unless told. A file that appears later is read from its first byte. */
  from?: "start" | "end" | undefined;
  /** How messages are marked in it; lines unless told. */
  framing?: Framing | undefined;
}

/** What {@linkcode follow} gives: a Receiver of what is appended to a file. */
export class Follower extends BaseReceiver<Bytes> {
  /** The file. */
  readonly path: string;

  /** Use {@linkcode follow}. */
  constructor(path: string, source: FollowSource) {
    super(source);
    this.path = path;
  }
}

/**
 * Receives the lines that any program appends to a file, without their ends, as `tail -F` does.
 *
 * It waits by inotify, without polling, and goes on when the file is rotated (another takes its name: the old one is
 * read to its end first), truncated (it begins again at the first byte), removed, or is not there yet: its folder has
 * to be; what a symbolic link leads to is watched, too. A line is given once its end is there; what is left without one when the file is rotated is a line too. It has
 * no end, and owns descriptors until `close`. System calls: `open`, `fstat`, `pread`, `inotify_add_watch`.
 *
 * A receive throws a {@linkcode MessageTooLongError} once where a line is longer than the framing permits; the next
 * goes on behind it.
 *
 * @throws {NotFoundError} if there is no such folder.
 * @throws {PermissionError} if the file may not be read.
 * @throws {LimitError} if this user has too many inotify instances or watches.
 *
 * @example
 * ```ts
 * import { follow } from "@ipc/file";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await Deno.makeTempFile();
 * using file = follow(path);
 * const received = file.receive();
 * await Deno.writeTextFile(path, "hello\n", { append: true });
 * assertEquals(new TextDecoder().decode(await received), "hello");
 * await Deno.remove(path);
 * ```
 */
export function follow(path: string, options: FollowOptions = {}): Follower {
  const { from = "end", framing = lines() } = options;
  if (from !== "start" && from !== "end") {
    throw new TypeError(`Cannot follow from "${from}": it is "start" or "end"`);
  }
  return new Follower(path, new FollowSource(path, framing, from === "end"));
}
