/** The names in a directory, read through libc: that takes no `--allow-read`. */

import { ERRNO } from "@ipc/core";
import { abi, cString, errno, failure } from "@ipc/core/sys";
import { dirent, syscalls } from "./_abi.ts";
import { libc } from "./_libc.ts";

const BUFFER = 32_768;

/** The names in a directory, in the order of the alphabet; none where there is no such directory. */
export function namesIn(path: string): string[] {
  const name = cString(path);
  const fd = libc.open(name, abi.O_RDONLY | abi.O_DIRECTORY | abi.O_CLOEXEC, 0);
  if (fd === -1) {
    const code = errno();
    if (code === ERRNO.ENOENT) return [];
    throw failure(code, "open", "list", path);
  }
  try {
    return readNames(fd, path).filter((entry) => entry !== "." && entry !== "..").sort();
  } finally {
    libc.close(fd);
  }
}

function readNames(fd: number, path: string): string[] {
  const names: string[] = [];
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(BUFFER);
  const view = new DataView(buffer.buffer);
  for (;;) {
    const count = libc.getdents64(syscalls.getdents64, fd, buffer, BUFFER);
    if (count === -1) throw failure(errno(), "getdents64", "list", path);
    if (count === 0) return names;
    for (let at = 0; at < count;) {
      const length = view.getUint16(at + dirent.d_reclen, true);
      const from = at + dirent.d_name;
      names.push(decoder.decode(buffer.subarray(from, buffer.indexOf(0, from))));
      at += length;
    }
  }
}
